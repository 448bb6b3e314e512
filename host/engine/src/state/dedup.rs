//! The store of a deduplicating step: identities with the times of their records, for as long as a later record can be
//! a duplicate, or can't be told from one.

use bytes::{BufMut, Bytes, BytesMut};

use super::TaskState;
use super::keys::{CLOCK_KEY, part};
use super::window_records::{WindowClock, WindowRecords};
use crate::ports::{BackendError, StoreId};
use crate::record::Timestamp;
use crate::topology::retention_of_dedup;

/// The identities that a step has seen.
pub(crate) struct DedupStore {
    store: StoreId,
    window: WindowRecords,
    /// The clock at the last commit.
    committed: WindowClock,
    /// The horizon at the last commit.
    committed_horizon: Timestamp,
}

impl DedupStore {
    /// Opens the store and loads live identities, up to `limit` bytes.
    pub(crate) fn open(state: &TaskState, store: StoreId, within: i64, limit: usize) -> Result<Self, BackendError> {
        let clock = state.get(store, &CLOCK_KEY)?.and_then(|bytes| decode(&bytes)).unwrap_or_default();
        let window = WindowRecords::open(state, (store, part::LEFT), clock, retention_of_dedup(within), limit)?;
        Ok(Self { store, window, committed: clock, committed_horizon: Timestamp::MIN })
    }

    pub(crate) fn id(&self) -> StoreId {
        self.store
    }

    /// Memory of identities that aren't in the transaction yet, in bytes, roughly.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.window.unwritten_bytes()
    }

    /// Advances stream time to the timestamp of a record with an identity.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        self.window.observe(timestamp);
    }

    /// Whether the store has an identity with a time in `[from, to]`.
    pub(crate) fn contains(
        &self,
        state: &TaskState,
        identity: &[u8],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<bool, BackendError> {
        let mut found = false;
        self.window.fetch(state, identity, from, to, &mut |_, _: &Bytes| found = true)?;
        Ok(found)
    }

    /// Whether no identity from this time on has expired.
    pub(crate) fn covers(&self, from: Timestamp) -> bool {
        self.window.horizon() <= from
    }

    /// Adds an identity.
    pub(crate) fn insert(&mut self, state: &mut TaskState, identity: &[u8], timestamp: Timestamp) {
        self.window.put(state, identity, timestamp, &[]);
    }

    /// Writes changes that are still in memory to the transaction. Called once per commit.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        self.window.prepare(state);
        let (clock, horizon) = (self.window.clock(), self.window.horizon());
        if clock.observed != Timestamp::MIN && horizon > self.committed_horizon {
            self.committed_horizon = horizon;
            state.expire(self.store, [horizon, Timestamp::MIN]);
        }
        if clock != self.committed {
            self.committed = clock;
            state.put(self.store, CLOCK_KEY, Some(encode(clock)));
        }
    }
}

fn encode(clock: WindowClock) -> Bytes {
    let mut out = BytesMut::with_capacity(16);
    out.put_i64(clock.observed);
    out.put_u64(clock.next_sequence);
    out.freeze()
}

fn decode(bytes: &[u8]) -> Option<WindowClock> {
    let ([observed, next], []) = bytes.as_chunks::<8>() else { return None };
    Some(WindowClock { observed: i64::from_be_bytes(*observed), next_sequence: u64::from_be_bytes(*next) })
}

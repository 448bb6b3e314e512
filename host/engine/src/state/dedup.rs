//! What a deduplicating step has seen: identities with the time of their first record, for as long as another record can
//! be a duplicate of it, or can't be told from one.

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
    /// Opens the store and loads what is live, up to `limit` bytes.
    pub(crate) fn open(state: &TaskState, store: StoreId, within: i64, limit: usize) -> Result<Self, BackendError> {
        let clock = state.get(store, &CLOCK_KEY)?.and_then(|bytes| decode(&bytes)).unwrap_or_default();
        let window = WindowRecords::open(state, (store, part::LEFT), clock, retention_of_dedup(within), limit)?;
        Ok(Self { store, window, committed: clock, committed_horizon: Timestamp::MIN })
    }

    pub(crate) fn id(&self) -> StoreId {
        self.store
    }

    /// Memory it holds, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.window.bytes()
    }

    /// Memory of what waits for the next commit, in bytes, roughly.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.window.unwritten_bytes()
    }

    /// A record with an identity has come: moves the stream time on.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        self.window.observe(timestamp);
    }

    /// Whether an identity has been kept for a time in `[from, to]`.
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

    /// Whether everything from this time on is still kept.
    pub(crate) fn covers(&self, from: Timestamp) -> bool {
        self.window.horizon() <= from
    }

    /// Keeps an identity.
    pub(crate) fn insert(&mut self, state: &mut TaskState, identity: &[u8], timestamp: Timestamp) {
        self.window.put(state, identity, timestamp, &[]);
    }

    /// Moves what must be committed into the transaction. Called once, when it is prepared.
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

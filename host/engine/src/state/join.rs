//! The store of a stream-stream join: both sides, the unmatched records, and their clocks.

use bytes::{BufMut, Bytes, BytesMut};

use super::TaskState;
use super::keys::{CLOCK_KEY, part};
use super::unmatched::{UnmatchedClock, UnmatchedRecords};
use super::window_records::{WindowClock, WindowRecords};
use crate::ports::{BackendError, Horizons, StoreId};
use crate::record::Timestamp;

/// The store of a join.
pub(crate) struct JoinStore {
    store: StoreId,
    pub(crate) left: WindowRecords,
    pub(crate) right: WindowRecords,
    /// The unmatched records; an inner join has none.
    pub(crate) unmatched: Option<UnmatchedRecords>,
    /// The clock at the last commit.
    committed: JoinClock,
    /// The horizons at the last commit.
    committed_horizons: Horizons,
}

/// All clocks of a join, which are one entry of its store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct JoinClock {
    left: WindowClock,
    right: WindowClock,
    unmatched: UnmatchedClock,
}

impl JoinStore {
    /// Opens a store whose entries live for `retention`. Each side, and the unmatched records, have up to `limit` bytes
    /// in memory.
    pub(crate) fn open(
        state: &TaskState,
        store: StoreId,
        retention: i64,
        waits: bool,
        limit: usize,
    ) -> Result<Self, BackendError> {
        let clock = state.get(store, &CLOCK_KEY)?.and_then(|bytes| JoinClock::decode(&bytes)).unwrap_or_default();
        let unmatched = waits.then(|| UnmatchedRecords::open(state, store, clock.unmatched, limit)).transpose()?;
        let left = WindowRecords::open(state, (store, part::LEFT), clock.left, retention, limit)?;
        let right = WindowRecords::open(state, (store, part::RIGHT), clock.right, retention, limit)?;
        let committed_horizons = [Timestamp::MIN; 2];
        Ok(Self { store, left, right, unmatched, committed: clock, committed_horizons })
    }

    pub(crate) fn id(&self) -> StoreId {
        self.store
    }

    /// Memory of entries that aren't in the transaction yet, in bytes, roughly.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.left.unwritten_bytes() + self.right.unwritten_bytes()
    }

    /// Writes changes that are still in memory to the transaction. Called once per commit.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        self.left.prepare(state);
        self.right.prepare(state);
        let clock = JoinClock {
            left: self.left.clock(),
            right: self.right.clock(),
            unmatched: self.unmatched.as_ref().map(UnmatchedRecords::clock).unwrap_or_default(),
        };
        let horizons = [self.left.horizon(), self.right.horizon()];
        if horizons != self.committed_horizons {
            self.committed_horizons = horizons;
            state.expire(self.store, horizons);
        }
        if clock != self.committed {
            self.committed = clock;
            state.put(self.store, CLOCK_KEY, Some(clock.encode()));
        }
    }
}

impl JoinClock {
    fn encode(self) -> Bytes {
        let mut out = BytesMut::with_capacity(7 * 8);
        for side in [self.left, self.right] {
            out.put_i64(side.observed);
            out.put_u64(side.next_sequence);
        }
        out.put_i64(self.unmatched.stream_time);
        out.put_i64(self.unmatched.min_time);
        out.put_u64(self.unmatched.next_sequence);
        out.freeze()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let ([left, left_next, right, right_next, stream_time, min_time, next], []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let side = |observed: &[u8; 8], next: &[u8; 8]| WindowClock {
            observed: i64::from_be_bytes(*observed),
            next_sequence: u64::from_be_bytes(*next),
        };
        Some(Self {
            left: side(left, left_next),
            right: side(right, right_next),
            unmatched: UnmatchedClock {
                stream_time: i64::from_be_bytes(*stream_time),
                min_time: i64::from_be_bytes(*min_time),
                next_sequence: u64::from_be_bytes(*next),
            },
        })
    }
}

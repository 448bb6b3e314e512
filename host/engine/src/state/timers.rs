//! Timers of a process step, in the order of time. [`entry`] has the layout of the step's timer store.
//!
//! Under [`CLOCK_KEY`], the store has the step's stream time and the number of rounds. A *round* fires the timers that
//! one record has made due.

mod entry;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::TaskState;
use super::keys::CLOCK_KEY;
use crate::ports::{BackendError, Clock, Scan, StoreId};
use crate::record::Timestamp;
pub(crate) use entry::Timer;
use entry::{by_name, decode, end_of, first_key};
pub(super) use entry::{keys, named, set_for};

/// The timers of a process step. Only clocks and first times are in memory; the timers are in the store.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    store: StoreId,
    /// The step's stream time: the highest timestamp that it has processed. The store has it too.
    observed: Option<Timestamp>,
    /// Number of rounds of stream-time timers. The store has it too.
    rounds: u64,
    /// Both at the last commit.
    committed: (Option<Timestamp>, u64),
    /// When the first timer of each clock is due.
    stream: Option<Timestamp>,
    wall: Option<Timestamp>,
}

/// How far the timers that a record or a tick has made due have fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimerCursor {
    /// On the stream's clock: the number of the round. On the driver's clock: how many timers may still fire.
    pub(crate) number: u64,
    /// The clock's time.
    pub(crate) now: Timestamp,
    /// The time of the first due timer.
    pub(crate) begin: Timestamp,
    /// The entry of the last timer that has fired.
    pub(crate) after: Option<Bytes>,
}

impl TimerCursor {
    /// The cursor as bytes.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_u64(self.number);
        out.put_i64(self.now);
        out.put_i64(self.begin);
        out.put_slice(self.after.as_deref().unwrap_or_default());
        out.freeze()
    }

    /// The inverse of [`encode`](Self::encode); `None` if the bytes are damaged.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        let number = bytes.try_get_u64().ok()?;
        let (now, begin) = (bytes.try_get_i64().ok()?, bytes.try_get_i64().ok()?);
        Some(Self { number, now, begin, after: Some(bytes).filter(|after| !after.is_empty()) })
    }
}

impl Timers {
    /// Loads the clocks and the times of the first timers from the store.
    pub(crate) fn open(state: &TaskState, store: StoreId) -> Result<Self, BackendError> {
        let clock = state.get(store, &CLOCK_KEY)?;
        let number = |at: usize| Some(*clock.as_ref()?.get(at..)?.first_chunk()?);
        let (observed, rounds) = (number(0).map(i64::from_be_bytes), number(8).map_or(0, u64::from_be_bytes));
        let mut this = Self { store, observed, rounds, committed: (observed, rounds), stream: None, wall: None };
        for clock in [Clock::Stream, Clock::Wall] {
            *this.first_mut(clock) = this.first_from(state, clock, Timestamp::MIN)?;
        }
        Ok(this)
    }

    /// The store of the timers.
    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// The step's stream time; `None` before the first record.
    pub(crate) fn stream_time(&self) -> Option<Timestamp> {
        self.observed
    }

    /// Advances stream time to a record's timestamp.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        self.observed = self.observed.max(Some(timestamp));
    }

    /// When the first timer of a clock is due.
    pub(crate) fn first(&self, clock: Clock) -> Option<Timestamp> {
        match clock {
            Clock::Stream => self.stream,
            Clock::Wall => self.wall,
        }
    }

    fn first_mut(&mut self, clock: Clock) -> &mut Option<Timestamp> {
        match clock {
            Clock::Stream => &mut self.stream,
            Clock::Wall => &mut self.wall,
        }
    }

    /// The time for which a timer is set, if it is set.
    pub(super) fn time(
        &self,
        state: &TaskState,
        key: Option<&[u8]>,
        name: &str,
        clock: Clock,
    ) -> Result<Option<Timestamp>, BackendError> {
        let time = state.get(self.store, &by_name(key, name, clock))?;
        Ok(time.and_then(|bytes| Some(i64::from_be_bytes(*bytes.first_chunk()?))))
    }

    /// Notes that a timer was set.
    pub(super) fn added(&mut self, time: Timestamp, clock: Clock) {
        let first = self.first_mut(clock);
        *first = Some(first.map_or(time, |first| first.min(time)));
    }

    /// Notes that a timer was cancelled. If it was the first one, this scans for the next, from its time on: deleted
    /// entries before that may be many.
    pub(super) fn removed(&mut self, state: &TaskState, time: Timestamp, clock: Clock) -> Result<(), BackendError> {
        if self.first(clock) == Some(time) {
            *self.first_mut(clock) = self.first_from(state, clock, time)?;
        }
        Ok(())
    }

    /// When the last timer of a clock is due.
    pub(crate) fn last(&self, state: &TaskState, clock: Clock) -> Result<Option<Timestamp>, BackendError> {
        let mut last = None;
        let first = self.first(clock).unwrap_or(Timestamp::MAX);
        state.scan(self.store, &first_key(clock, first), Some(&end_of(clock)), &mut |key, value| {
            last = decode(key, value).map(|timer| timer.time).or(last);
            Scan::Continue
        })?;
        Ok(last)
    }

    /// Up to `limit` timers of a clock from `begin` to `end`, both inclusive, behind the entry `after`.
    pub(crate) fn due(
        &self,
        state: &TaskState,
        (clock, begin, end): (Clock, Timestamp, Timestamp),
        after: Option<&Bytes>,
        limit: usize,
    ) -> Result<Vec<Timer>, BackendError> {
        let begin = first_key(clock, begin);
        let from = after.map_or(&*begin, |after| after);
        let mut page = Vec::new();
        state.scan(self.store, from, Some(&end_of(clock)), &mut |key, value| {
            let Some(timer) = decode(key, value).filter(|timer| Some(&timer.entry) != after) else {
                return Scan::Continue;
            };
            if timer.time > end || page.len() >= limit {
                return Scan::Stop;
            }
            page.push(timer);
            Scan::Continue
        })?;
        Ok(page)
    }

    /// Begins a round, if a stream-time timer is due.
    pub(crate) fn begin_round(&mut self) -> Option<TimerCursor> {
        let (now, begin) = (self.observed?, self.stream?);
        if begin > now {
            return None;
        }
        self.rounds += 1;
        Some(TimerCursor { number: self.rounds, now, begin, after: None })
    }

    /// Whether a due timer fires in a round: not if an earlier timer of the round has cancelled it or set it anew.
    pub(crate) fn fires(&self, state: &TaskState, timer: &Timer, round: Option<u64>) -> Result<bool, BackendError> {
        let set = state.get(self.store, &by_name(timer.key.as_deref(), &timer.name, timer.clock))?;
        let fresh = round.map(|round| set_for(timer.time, Some(round)));
        Ok(set.filter(|set| Some(set) != fresh.as_ref()).is_some_and(|set| set.starts_with(&timer.time.to_be_bytes())))
    }

    /// Deletes a timer that fires. After the last one, the caller calls [`end_round`](Self::end_round).
    pub(crate) fn remove(&self, state: &mut TaskState, timer: &Timer) {
        let by_name = by_name(timer.key.as_deref(), &timer.name, timer.clock);
        for key in [timer.entry.clone(), by_name] {
            state.put(self.store, key, None);
        }
    }

    /// Finds the first timer of a clock anew, after timers from `begin` on have fired.
    pub(crate) fn end_round(&mut self, state: &TaskState, clock: Clock, begin: Timestamp) -> Result<(), BackendError> {
        let begin = self.first(clock).map_or(begin, |first| first.min(begin));
        *self.first_mut(clock) = self.first_from(state, clock, begin)?;
        Ok(())
    }

    fn first_from(&self, state: &TaskState, clock: Clock, time: Timestamp) -> Result<Option<Timestamp>, BackendError> {
        let mut first = None;
        state.scan(self.store, &first_key(clock, time), Some(&end_of(clock)), &mut |key, value| {
            first = decode(key, value).map(|timer| timer.time);
            if first.is_some() { Scan::Stop } else { Scan::Continue }
        })?;
        Ok(first)
    }

    /// Writes stream time and the number of rounds to the transaction, if they have changed.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        if (self.observed, self.rounds) != self.committed
            && let Some(observed) = self.observed
        {
            self.committed = (self.observed, self.rounds);
            let mut clock = BytesMut::with_capacity(16);
            clock.put_i64(observed);
            clock.put_u64(self.rounds);
            state.put(self.store, CLOCK_KEY, Some(clock.freeze()));
        }
    }
}

//! Process: calls a function record by record, with stores and timers of its own. A record that makes an entry too
//! large for its store fails (`state-too-large`).
//!
//! A timer fires once, so that a jump of time fires each timer once, like Kafka Streams' punctuation. Stream-time
//! timers fire after the record that advances the step's stream time to them, timers of the driver's clock in a tick;
//! both in the order of time, then key, then name. If a timer sets another one that is already due, that one waits for
//! the next record, or for the next millisecond of the driver's clock: timers never loop.
//!
//! Outputs of a timer inherit its key, a null value and no headers. Their event time is the timer's time or, on the
//! driver's clock, the step's stream time. (Kafka Streams takes the driver's clock, with which a replay of old records
//! would close all windows downstream.)
//!
//! A timer that fails is removed, and its writes are undone. The dead letter has the timer's key and name, and the
//! origin of the record that set it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::calls;
use crate::logic::Logic;
use crate::path::Path;
use crate::ports::{Attempt, CallError, Called, Clock, Due, Failure, Outcome, StoreId};
use crate::provenance::Origin;
use crate::record::{Headers, Record, Timestamp};
use crate::state::timers::{Timer, TimerCursor, Timers};
use crate::state::{Cause, ProcessScope, TaskState, TimerScope};
use crate::step::{Item, Parent, Remainder, Step, TaskError};
use crate::topology::Call;

/// A process step, with its stores and timers.
pub(super) struct Process<'p> {
    pub(super) stores: &'p Arc<[StoreId]>,
    pub(super) timers: Option<&'p mut Timers>,
    pub(super) call: &'p Call,
}

/// The result of one call, with its scope.
type Answer = (Result<Called<Outcome>, CallError>, ProcessScope);

/// Number of the first timer among a record's children: timers come after the record's own outputs.
const FIRST_TIMER: u32 = 1 << 31;

/// Number of timers that are read at a time.
const PAGE: usize = 100;

impl Process<'_> {
    pub(super) fn records(
        &mut self,
        step: &mut Step<'_>,
        items: Vec<Item>,
        logic: &mut dyn Logic,
    ) -> Result<(), TaskError> {
        let mut items = VecDeque::from(items);
        if let Some(Remainder { path, child, cursor: Some(cursor) }) = step.take_remainder() {
            // Only a tick has this path.
            if path == Path::root(0) {
                self.fire_wall(step, cursor, logic)?;
            } else {
                self.fire_stream(step, (&path, child), cursor, logic)?;
            }
        }
        while !step.is_full()
            && let Some(item) = items.pop_front()
        {
            if let Some(timers) = &mut self.timers {
                timers.observe(item.record.timestamp);
            }
            self.record(step, &item, logic)?;
            if let Some(cursor) = self.timers.as_deref_mut().and_then(Timers::begin_round) {
                self.fire_stream(step, (&item.path, FIRST_TIMER), cursor, logic)?;
            }
        }
        step.requeue(items);
        Ok(())
    }

    fn record(&mut self, step: &mut Step<'_>, item: &Item, logic: &mut dyn Logic) -> Result<(), TaskError> {
        let function = step.function(self.call)?;
        let message = item.record.message(step.name_of(item.from));
        let mut call = |scope, attempt| logic.process(function, message, scope, attempt);
        let outcome = self.outcome(step, &item.path, &item.record, Cause::Record, &mut call)?;
        step.apply_outcome(&Parent { path: &item.path, record: &item.record }, outcome, self.call)
    }

    /// Fires the stream-time timers that a record has made due, as many as fit into a pass, as children of the record
    /// from number `child` on.
    fn fire_stream(
        &mut self,
        step: &mut Step<'_>,
        (path, mut child): (&Path, u32),
        mut cursor: TimerCursor,
        logic: &mut dyn Logic,
    ) -> Result<(), TaskError> {
        loop {
            let Some(timers) = self.timers.as_ref() else { return Ok(()) };
            let due = (Clock::Stream, cursor.begin, cursor.now);
            let due_timers = timers.due(step.state, due, cursor.after.as_ref(), PAGE)?;
            if due_timers.is_empty() {
                break;
            }
            for timer in due_timers {
                if step.is_full() {
                    step.set_remainder(path, child, Some(cursor));
                    return Ok(());
                }
                cursor.after = Some(timer.entry.clone());
                if self.fires(step, &timer, Some(cursor.number))? {
                    step.spend(timer.entry.len());
                    self.fire(step, &path.child(child), timer, Cause::Stream(cursor.number), logic)?;
                    child += 1;
                }
            }
        }
        self.end_round(step, Clock::Stream, cursor.begin)
    }

    /// Fires the timers that are due when the driver's clock is `now`, up to the limit.
    pub(super) fn tick(&mut self, step: &mut Step<'_>, now: Timestamp, logic: &mut dyn Logic) -> Result<(), TaskError> {
        let first = self.timers.as_ref().and_then(|timers| timers.first(Clock::Wall));
        let Some(begin) = first.filter(|first| *first <= now) else { return Ok(()) };
        let number = step.options.timers as u64;
        self.fire_wall(step, TimerCursor { number, now, begin, after: None }, logic)
    }

    /// Fires timers of the driver's clock, as many as fit into a pass. The cursor's number is how many may still fire.
    fn fire_wall(
        &mut self,
        step: &mut Step<'_>,
        mut cursor: TimerCursor,
        logic: &mut dyn Logic,
    ) -> Result<(), TaskError> {
        while let Some(timers) = self.timers.as_ref() {
            let left = usize::try_from(cursor.number).unwrap_or(usize::MAX);
            let due = (Clock::Wall, cursor.begin, cursor.now);
            let due_timers = timers.due(step.state, due, cursor.after.as_ref(), PAGE.min(left))?;
            if due_timers.is_empty() {
                break;
            }
            for timer in due_timers {
                if step.is_full() {
                    let next = step.progress.wake_paths;
                    step.set_remainder(&Path::root(0), next, Some(cursor));
                    return Ok(());
                }
                cursor.number -= 1;
                cursor.after = Some(timer.entry.clone());
                if self.fires(step, &timer, None)? {
                    step.spend(timer.entry.len());
                    let place = step.next_wake_path();
                    self.fire(step, &place, timer, Cause::Wall(cursor.now), logic)?;
                }
            }
        }
        self.end_round(step, Clock::Wall, cursor.begin)
    }

    fn fires(&self, step: &Step<'_>, timer: &Timer, round: Option<u64>) -> Result<bool, TaskError> {
        let Some(timers) = self.timers.as_ref() else { return Ok(false) };
        Ok(timers.fires(step.state, timer, round)?)
    }

    fn end_round(&mut self, step: &Step<'_>, clock: Clock, begin: Timestamp) -> Result<(), TaskError> {
        let Some(timers) = &mut self.timers else { return Ok(()) };
        Ok(timers.end_round(step.state, clock, begin)?)
    }

    /// Fires a timer.
    fn fire(
        &mut self,
        step: &mut Step<'_>,
        place: &Path,
        timer: Timer,
        cause: Cause,
        logic: &mut dyn Logic,
    ) -> Result<(), TaskError> {
        let mut stream_time = None;
        if let Some(timers) = &self.timers {
            timers.remove(step.state, &timer);
            stream_time = timers.stream_time();
        }
        let timestamp = match timer.clock {
            Clock::Stream => timer.time,
            Clock::Wall => stream_time.unwrap_or(timer.time),
        };
        let record = Record { key: timer.key.clone(), value: None, timestamp, headers: Headers::EMPTY, window: None };
        let place = step.attribute(place, &record, Origin::decode(timer.origin.clone()));
        let function = step.function(self.call)?;
        let due = Due { key: timer.key.as_deref(), name: &timer.name, time: timer.time, clock: timer.clock };
        let mut call = |scope, attempt| logic.on_timer(function, due, scope, attempt);
        let mut outcome = self.outcome(step, &place, &record, cause, &mut call)?;
        if let Outcome::Fail(failure) = &mut outcome {
            failure.text = format!("timer `{}`, set for {}: {}", timer.name, timer.time, failure.text);
        }
        step.apply_outcome(&Parent { path: &place, record: &record }, outcome, self.call)
    }

    /// The outcome of a call; if it breaks a rule, the outcome of a verdict.
    fn outcome(
        &mut self,
        step: &mut Step<'_>,
        path: &Path,
        record: &Record,
        cause: Cause,
        call: &mut dyn FnMut(ProcessScope, Attempt) -> Answer,
    ) -> Result<Outcome, TaskError> {
        let mut answer = self.attempt(step, path, record, cause, &mut |scope| call(scope, Attempt::Batch));
        if matches!(answer, Err(CallError::Guest { .. })) {
            answer = self.attempt(step, path, record, cause, &mut |scope| call(scope, Attempt::Verdict));
        }
        match answer {
            Ok(called) => {
                step.effects(called.effects);
                Ok(called.result)
            }
            Err(error) => Ok(Outcome::Fail(calls::fault(error).map_err(|error| step.host_error(error))?)),
        }
    }

    /// Makes one call, and undoes its writes if the call or the record fails.
    fn attempt(
        &mut self,
        step: &mut Step<'_>,
        path: &Path,
        record: &Record,
        cause: Cause,
        call: &mut dyn FnMut(ProcessScope) -> Answer,
    ) -> Result<Called<Outcome>, CallError> {
        let timer_scope = self.timers.as_deref().map(|timers| TimerScope {
            timers: timers.clone(),
            key: record.key.clone(),
            now: step.progress.records.get(path.record()).map_or(0, |record| record.arrived),
            origin: step.origin_of(path),
            cause,
        });
        let state = std::mem::replace(step.state, TaskState::lent());
        let scope = ProcessScope::new(state, Arc::clone(self.stores), timer_scope);
        let (mut outcome, scope) = call(scope);
        if let Ok(called) = &mut outcome
            && let Some(failure) = too_large(step, &scope)
        {
            called.result = Outcome::Fail(failure);
        }
        let good = matches!(&outcome, Ok(called) if !matches!(called.result, Outcome::Fail(_)));
        let (state, timer_scope) = scope.into_parts(good);
        *step.state = state;
        if let (true, Some(own), Some(timer_scope)) = (good, self.timers.as_deref_mut(), timer_scope) {
            *own = timer_scope.timers;
        }
        outcome
    }
}

/// The failure if an entry that a call has written is too large.
fn too_large(step: &Step<'_>, scope: &ProcessScope) -> Option<Failure> {
    if step.options.state_bytes == usize::MAX {
        return None;
    }
    scope.written().find_map(|(store, key, value)| step.entry_too_large(store, key, value))
}

//! Process: record by record, with stores and timers of its own. A record that leaves an entry there that is larger than
//! a store takes fails (`state-too-large`).
//!
//! Timers are one-shot, so that a jump of time fires each once, as Kafka Streams' punctuation does. Those of the stream's
//! clock fire after the record with which the step's stream time has reached them, those of the driver's clock in a tick,
//! both in the order of time, then of key, then of name. What a timer sets for a time that has come already waits for the
//! next record, or for the next millisecond of the driver's clock: nothing goes round for ever.
//!
//! What a timer puts out takes over its key, a null value and no headers. As event time it has the timer's own time; if
//! that is one of the driver's clock, it is the step's stream time instead (Kafka Streams: the driver's clock, with which
//! a replay of old records would close all windows downstream).
//!
//! A timer that fails is gone, and so is what it wrote. The dead letter has its key and names it; its origin is the record
//! that set it.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::calls;
use crate::path::Path;
use crate::ports::{Attempt, CallError, Called, Clock, Due, Failure, Logic, Outcome, StoreId};
use crate::provenance::Origin;
use crate::record::{Headers, Timestamp};
use crate::state::timers::{Timer, Timers};
use crate::state::{ProcessScope, TaskState, Timing};
use crate::task::{Item, Parent, Record, Step, TaskError};
use crate::topology::Call;

/// A process step: its stores, and its timers if it has any.
pub(super) struct Process<'p> {
    pub(super) stores: &'p Arc<[StoreId]>,
    pub(super) timers: Option<&'p mut Timers>,
    pub(super) call: &'p Call,
}

/// The result of one call, and its scope.
type Answer = (Result<Called<Outcome>, CallError>, ProcessScope);

/// Where the timers that a record fires stand among its children: behind all that it puts out itself.
const FIRST_TIMER: u32 = 1 << 31;

/// Timers that are read at once.
const PAGE: usize = 100;

impl Process<'_> {
    pub(super) fn records(
        &mut self,
        step: &mut Step<'_>,
        items: &[Item],
        logic: &mut dyn Logic,
    ) -> Result<(), TaskError> {
        for item in items {
            if let Some(timers) = &mut self.timers {
                timers.observe(item.record.timestamp);
            }
            self.record(step, item, logic)?;
            if let Some(now) = self.timers.as_ref().and_then(|timers| timers.stream_time()) {
                let mut number = FIRST_TIMER;
                let next_place = |_: &mut Step<'_>| {
                    let place = item.path.child(number);
                    number += 1;
                    place
                };
                self.fire_due(step, (Clock::Stream, now), next_place, logic)?;
            }
        }
        Ok(())
    }

    /// The driver's clock has reached `now`.
    pub(super) fn tick(&mut self, step: &mut Step<'_>, now: Timestamp, logic: &mut dyn Logic) -> Result<(), TaskError> {
        self.fire_due(step, (Clock::Wall, now), |step| step.at_the_moment(), logic)
    }

    fn record(&mut self, step: &mut Step<'_>, item: &Item, logic: &mut dyn Logic) -> Result<(), TaskError> {
        let function = step.function(self.call)?;
        let message = item.record.message(step.name_of(item.from));
        let mut call = |scope, attempt| logic.process(function, message, scope, attempt);
        let (outcome, _) = self.outcome(step, &item.path, &item.record, None, &mut call)?;
        step.settle(&Parent { path: &item.path, record: &item.record }, outcome, self.call)
    }

    /// Fires the timers of a clock that were due when it began.
    fn fire_due(
        &mut self,
        step: &mut Step<'_>,
        (clock, now): (Clock, Timestamp),
        mut next_place: impl FnMut(&mut Step<'_>) -> Path,
        logic: &mut dyn Logic,
    ) -> Result<(), TaskError> {
        let Some(begin) = self.timers.as_ref().and_then(|timers| timers.first(clock)).filter(|first| *first <= now)
        else {
            return Ok(());
        };
        let mut left = if clock == Clock::Wall { step.options.timers } else { usize::MAX };
        let (mut after, mut fresh) = (None, HashSet::new());
        while let Some(timers) = self.timers.as_ref() {
            let page = timers.due(step.state, (clock, begin, now), after.as_ref(), PAGE.min(left))?;
            let store = timers.store();
            left -= page.len();
            let Some(last) = page.last() else { break };
            after = Some(last.entry.clone());
            for timer in page {
                // One that fired before it may have taken it back, or set it anew.
                if fresh.contains(&timer.entry) || step.state.get(store, &timer.entry)?.is_none() {
                    continue;
                }
                let place = next_place(step);
                fresh.extend(self.fire(step, &place, timer, now, logic)?);
            }
        }
        match &mut self.timers {
            Some(timers) => Ok(timers.fired(step.state, clock, begin)?),
            None => Ok(()),
        }
    }

    /// Fires a timer, and gives the entries of those that it has set.
    fn fire(
        &mut self,
        step: &mut Step<'_>,
        place: &Path,
        timer: Timer,
        now: Timestamp,
        logic: &mut dyn Logic,
    ) -> Result<Vec<bytes::Bytes>, TaskError> {
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
        let place = step.about(place, &record, Origin::decode(timer.origin.clone()));
        let function = step.function(self.call)?;
        let due = Due { key: timer.key.as_deref(), name: &timer.name, time: timer.time, clock: timer.clock };
        let passed = (timer.clock == Clock::Wall).then_some((timer.clock, now));
        let mut call = |scope, attempt| logic.on_timer(function, due, scope, attempt);
        let (mut outcome, set) = self.outcome(step, &place, &record, passed, &mut call)?;
        if let Outcome::Fail(failure) = &mut outcome {
            failure.text = format!("timer `{}`, set for {}: {}", timer.name, timer.time, failure.text);
        }
        step.settle(&Parent { path: &place, record: &record }, outcome, self.call)?;
        Ok(set)
    }

    /// What a call comes to, at last by verdict; and the entries of the timers that it has set.
    fn outcome(
        &mut self,
        step: &mut Step<'_>,
        path: &Path,
        record: &Record,
        not_before: Option<(Clock, Timestamp)>,
        call: &mut dyn FnMut(ProcessScope, Attempt) -> Answer,
    ) -> Result<(Outcome, Vec<bytes::Bytes>), TaskError> {
        let (mut answer, mut set) =
            self.attempt(step, path, record, not_before, &mut |scope| call(scope, Attempt::Batch));
        if matches!(answer, Err(CallError::Guest { .. })) {
            let verdict = &mut |scope| call(scope, Attempt::Verdict);
            (answer, set) = self.attempt(step, path, record, not_before, verdict);
        }
        match answer {
            Ok(called) => {
                step.effects(called.effects);
                Ok((called.result, set))
            }
            Err(error) => Ok((Outcome::Fail(calls::fault(error).map_err(|error| step.host_error(error))?), Vec::new())),
        }
    }

    /// One call; its writes stay only if the outcome is good.
    fn attempt(
        &mut self,
        step: &mut Step<'_>,
        path: &Path,
        record: &Record,
        not_before: Option<(Clock, Timestamp)>,
        call: &mut dyn FnMut(ProcessScope) -> Answer,
    ) -> (Result<Called<Outcome>, CallError>, Vec<bytes::Bytes>) {
        let timing = self.timers.as_deref().map(|timers| Timing {
            timers: timers.clone(),
            key: record.key.clone(),
            now: step.progress.records.get(path.record()).map_or(0, |record| record.arrived),
            origin: step.origin_of(path),
            not_before,
            set: Vec::new(),
        });
        let state = std::mem::replace(step.state, TaskState::lent());
        let scope = ProcessScope::new(state, Arc::clone(self.stores), timing);
        let (mut outcome, scope) = call(scope);
        if let Ok(called) = &mut outcome
            && let Some(failure) = misfit(step, &scope)
        {
            called.result = Outcome::Fail(failure);
        }
        let good = matches!(&outcome, Ok(called) if !matches!(called.result, Outcome::Fail(_)));
        let (state, timing) = scope.into_parts(good);
        *step.state = state;
        let mut set = Vec::new();
        if let (true, Some(own), Some(timing)) = (good, self.timers.as_deref_mut(), timing) {
            (*own, set) = (timing.timers, timing.set);
        }
        (outcome, set)
    }
}

/// Why what a call has written can't stay, if something is too large.
fn misfit(step: &Step<'_>, scope: &ProcessScope) -> Option<Failure> {
    if step.options.state_bytes == usize::MAX {
        return None;
    }
    scope.written().find_map(|(store, key, value)| step.misfit_of_state(store, key, value))
}

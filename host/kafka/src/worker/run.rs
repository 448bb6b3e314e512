//! Work of tasks: runs over their records, and timers that are due.

use std::time::Instant;

use millrace_engine::ports::Logic;
use millrace_engine::task::{Produced, TaskError};

use super::apart::Isolation;
use super::commit::CommitScope;
use super::open::TIMERS_PER_STEP;
use super::pace::Pace;
use super::plan::StepPlan;
use super::seat::ActiveTask;
use super::{Worker, sendable};
use crate::clock::wall_clock;
use crate::error::Reaction;

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WorkKind {
    /// Records.
    Records,
    /// Timers.
    Timers,
}

/// What a task is to do.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Process records that wait for it.
    Records,
    /// Fire the timers that are due by now.
    Timers(i64),
}

impl Work {
    fn kind(self) -> WorkKind {
        match self {
            Self::Records => WorkKind::Records,
            Self::Timers(_) => WorkKind::Timers,
        }
    }

    /// How many records or timers a part may have.
    fn most(self, batch: usize) -> usize {
        match self {
            Self::Records => batch,
            Self::Timers(_) => TIMERS_PER_STEP,
        }
    }

    /// How many the open transaction has of the task.
    fn done(self, seat: &mut ActiveTask) -> &mut usize {
        match self {
            Self::Records => &mut seat.taken,
            Self::Timers(_) => &mut seat.fired,
        }
    }

    /// How many the next part has.
    fn limit(self, pace: &Pace, seat: &ActiveTask) -> usize {
        match self {
            Self::Records => pace.limit().min(seat.task.queued_in_all().max(1)),
            Self::Timers(_) => pace.limit(),
        }
    }

    /// Does a part. Gives what that puts out, and how many records or timers it was; of timers, at most.
    fn part(
        self,
        seat: &mut ActiveTask,
        logic: &mut dyn Logic,
        limit: usize,
    ) -> Result<(Vec<Produced>, usize), TaskError> {
        match self {
            Self::Records => {
                seat.dirty = true;
                let waiting = seat.task.queued_in_all();
                let produced = seat.task.run(logic, limit)?;
                Ok((produced, taken(waiting, seat.task.queued_in_all())))
            }
            Self::Timers(now) => {
                seat.task.limit_timers(limit);
                let produced = seat.task.tick(logic, now, 0)?;
                seat.dirty |= !produced.is_empty() || seat.task.transaction_bytes() > 0;
                Ok((produced, limit))
            }
        }
    }
}

/// How many records a part was, of those that wait before it and behind it. One that goes on with a run takes none, and
/// counts as one all the same: it has its place in the transaction, and the next one may have to be alone.
fn taken(before: usize, behind: usize) -> usize {
    before.saturating_sub(behind).max(1)
}

impl Worker {
    /// Runs a task over some of what it has. Whether there was anything.
    pub(super) fn step(&mut self, seat: usize) -> Result<bool, Reaction> {
        let ready = self.seats.get(seat).is_some_and(|seat| seat.task.ready());
        Ok(ready && self.work_on(seat, Work::Records)?)
    }

    /// Fires timers that are due; those that are left come in the next round. Whether there were any.
    pub(super) fn tick(&mut self) -> Result<bool, Reaction> {
        if self.seats.iter().all(|seat| seat.task.next_tick().is_none()) {
            return Ok(false);
        }
        let (now, mut any) = (wall_clock(), false);
        for number in 0..self.seats.len() {
            // In the middle of a run, none fires.
            let seat = self.seats.get(number).filter(|seat| !seat.task.is_unfinished());
            let next = seat.and_then(|seat| seat.task.next_tick());
            if next.is_none_or(|next| next > now) || !self.may_go_on() {
                continue;
            }
            any |= self.work_on(number, Work::Timers(now))?;
            if self.must_commit() || self.is_on_trial(number) {
                self.commit(CommitScope::All)?;
            }
        }
        Ok(any)
    }

    /// Has a task do a part of its work, and sends what it puts out. Whether it could begin.
    ///
    /// The part takes as long as a transaction has time, and no longer. Only one record may take longer, as its limits
    /// allow, and only while no transaction is open that could become too old by it.
    fn work_on(&mut self, number: usize, work: Work) -> Result<bool, Reaction> {
        if self.seats.get(number).is_none_or(|seat| self.apart.is_waiting(seat.id)) {
            return Ok(false);
        }
        if self.plan(number, work) == StepPlan::CommitFirst {
            self.commit(CommitScope::All)?;
        }
        if self.producer.is_none() || !self.enter() {
            return Ok(false);
        }
        let (most, plan) = (work.most(self.shared.options.batch), self.plan(number, work));
        let run_time = self.run_time();
        let time = (plan != StepPlan::Unlimited).then_some(run_time);
        let Self { producer: Some(producer), seats, logic, paces, begun, unclear, shared, .. } = self else {
            return Ok(false);
        };
        let Some(seat) = seats.get_mut(number) else { return Ok(false) };
        let pace = paces.entry((seat.id, work.kind())).or_default();
        let limit = work.limit(pace, seat);
        seat.task.limit_pass(pace.pass());
        logic.limit_time(time);
        let began = Instant::now();
        let (produced, done) = match work.part(seat, logic.as_mut(), limit) {
            Err(TaskError::Overrun { step }) => {
                pace.cut_off(limit, *work.done(seat));
                return Err(Reaction::CutOff(step));
            }
            part => part.map_err(|error| seat.reaction(error))?,
        };
        let took = began.elapsed();
        pace.ran(done, took, most, run_time / 2);
        if seat.task.is_unfinished() {
            pace.passed(took);
        }
        seat.sent |= !produced.is_empty();
        // Timers may be due that don't fire yet.
        if seat.dirty {
            *work.done(seat) += done;
            begun.get_or_insert(began);
        }
        for record in &produced {
            producer.send(record.topic.0, &sendable(record), None)?;
        }
        unclear.sent(&shared.topology, &produced);
        Ok(true)
    }

    /// How a part of a task's work goes into a transaction.
    fn plan(&mut self, number: usize, work: Work) -> StepPlan {
        let uncommitted = self.uncommitted();
        let Some(seat) = self.seats.get(number) else { return StepPlan::Limited };
        let pace = self.paces.entry((seat.id, work.kind())).or_default();
        let alone = pace.is_alone() || self.apart.standing(seat.id) != Isolation::Together;
        StepPlan::of(alone, work.limit(pace, seat), uncommitted)
    }

    /// Holds global tables still until the transaction ends. Whether it could: not while they change, if it is called
    /// meanwhile.
    fn enter(&mut self) -> bool {
        if let (Some(barrier), None) = (&self.shared.barrier, &self.pass) {
            self.pass = barrier.enter(&|| self.may_go_on());
            return self.pass.is_some();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::plan::Uncommitted;
    use super::*;

    const LONG: Duration = Duration::from_secs(1);

    /// A run of three passes, the last of which takes longer than a transaction has time, again and again from the last
    /// commit until it gets through. Gives how many attempts that takes, if it does.
    fn attempts() -> Option<usize> {
        let (mut pace, mut committed) = (Pace::default(), 0);
        for attempt in 1..20 {
            let (mut done, mut open) = (0, Uncommitted::Nothing);
            let begin = committed;
            for pass in begin..3 {
                if StepPlan::of(pace.is_alone(), 1, open) == StepPlan::CommitFirst {
                    (committed, done, open) = (pass, 0, Uncommitted::Nothing);
                }
                let plan = StepPlan::of(pace.is_alone(), 1, open);
                if pass == 2 && plan == StepPlan::Limited {
                    pace.cut_off(1, done);
                    break;
                }
                let taken = taken(0, 0);
                pace.ran(taken, Duration::ZERO, 500, LONG);
                (done, open) = (done + taken, Uncommitted::Transaction);
                if pass == 2 {
                    return Some(attempt);
                }
            }
        }
        None
    }

    /// A task with a backlog of records that each take longer than a transaction has time, beside a quick one that always
    /// has something in the open transaction when its turn comes.
    #[test]
    fn what_a_quick_task_does_beside_a_slow_one_is_committed_and_not_dropped_each_time() {
        let (mut pace, mut committed, mut dropped) = (Pace::default(), 0, 0);
        for _ in 0..20 {
            match StepPlan::of(pace.is_alone(), pace.limit(), Uncommitted::Transaction) {
                StepPlan::CommitFirst => {
                    committed += 1;
                    pace.ran(1, LONG * 3, 500, LONG);
                }
                plan => {
                    assert_eq!(plan, StepPlan::Limited);
                    dropped += 1;
                    pace.cut_off(1, 0);
                }
            }
        }
        assert!(dropped <= 2, "{dropped} times dropped, {committed} times committed");
    }

    #[test]
    fn a_slow_pass_behind_quick_ones_of_its_run_comes_to_be_alone_in_a_transaction() {
        assert_eq!(attempts(), Some(2));
    }
}

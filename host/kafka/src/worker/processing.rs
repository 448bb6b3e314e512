//! The work of tasks: runs over their records, and timers that are due.

use std::time::Instant;

use millrace_engine::logic::Logic;
use millrace_engine::task::{Produced, TaskError};

use super::active_task::ActiveTask;
use super::commit::CommitScope;
use super::isolation::Isolation;
use super::opening::TIMERS_PER_STEP;
use super::pace::Pace;
use super::step_plan::StepPlan;
use super::transactions::WorkerTransactions;
use super::{Worker, may_go_on, sendable};
use crate::clock::wall_clock;
use crate::error::Reaction;

/// The kinds of work, whose paces differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WorkKind {
    /// Records.
    Records,
    /// Timers.
    Timers,
}

/// The next work of a task.
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

    /// The most records or timers of a part.
    fn most(self, batch: usize) -> usize {
        match self {
            Self::Records => batch,
            Self::Timers(_) => TIMERS_PER_STEP,
        }
    }

    /// How many of the task's are in the open transaction.
    fn done(self, active: &mut ActiveTask) -> &mut usize {
        match self {
            Self::Records => &mut active.taken,
            Self::Timers(_) => &mut active.fired,
        }
    }

    /// How many are in the next part.
    fn limit(self, pace: &Pace, active: &ActiveTask) -> usize {
        match self {
            Self::Records => pace.limit().min(active.task.queued_in_all().max(1)),
            Self::Timers(_) => pace.limit(),
        }
    }

    /// Does a part. Gives its output, and how many records or timers it processed; of timers, at most.
    fn part(
        self,
        active: &mut ActiveTask,
        logic: &mut dyn Logic,
        limit: usize,
    ) -> Result<(Vec<Produced>, usize), TaskError> {
        match self {
            Self::Records => {
                active.dirty = true;
                let waiting = active.task.queued_in_all();
                let produced = active.task.run(logic, limit)?;
                Ok((produced, taken(waiting, active.task.queued_in_all())))
            }
            Self::Timers(now) => {
                active.task.limit_timers(limit);
                let produced = active.task.tick(logic, now, 0)?;
                active.dirty |= !produced.is_empty() || active.task.transaction_bytes() > 0;
                Ok((produced, limit))
            }
        }
    }
}

/// How many records a part has taken, from the lengths of the queue before and after it. A part that goes on with a run
/// takes none, and counts as one all the same: it is part of the transaction, and the next one may have to be alone.
fn taken(before: usize, behind: usize) -> usize {
    before.saturating_sub(behind).max(1)
}

impl Worker {
    /// Runs a task over some of its records. Whether there were any.
    pub(super) fn process_records(&mut self, number: usize) -> Result<bool, Reaction> {
        let ready = self.tasks.get(number).is_some_and(|active| active.task.ready());
        Ok(ready && self.work_on(number, Work::Records)?)
    }

    /// Fires timers that are due; those that are left come in the next round. Whether there were any.
    pub(super) fn fire_timers(&mut self) -> Result<bool, Reaction> {
        if self.tasks.iter().all(|active| active.task.next_tick().is_none()) {
            return Ok(false);
        }
        let (now, mut any) = (wall_clock(), false);
        for number in 0..self.tasks.len() {
            // In the middle of a run, none fires.
            let active = self.tasks.get(number).filter(|active| !active.task.is_unfinished());
            let next = active.and_then(|active| active.task.next_tick());
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

    /// Has a task do a part of its work, and sends the records that it puts out. Whether it could begin.
    ///
    /// The part takes as long as a transaction has time, and no longer. Only one record may take longer, as its limits
    /// allow, and only while no transaction is open that could become too old by it.
    fn work_on(&mut self, number: usize, work: Work) -> Result<bool, Reaction> {
        if self.tasks.get(number).is_none_or(|active| self.isolated.is_waiting(active.id)) {
            return Ok(false);
        }
        if self.plan(number, work) == StepPlan::CommitFirst {
            self.commit(CommitScope::All)?;
        }
        if self.transactions.producer.is_none() || !self.acquire_permit() {
            return Ok(false);
        }
        let (most, plan) = (work.most(self.shared.options.batch), self.plan(number, work));
        let run_time = self.run_time();
        let time = (plan != StepPlan::Unlimited).then_some(run_time);
        let Self { number: worker, transactions, tasks, logic, paces, shared, plugins, .. } = self;
        let WorkerTransactions { producer: Some(producer), begun, unclear, .. } = transactions else {
            return Ok(false);
        };
        let Some(active) = tasks.get_mut(number) else { return Ok(false) };
        let pace = paces.entry((active.id, work.kind())).or_default();
        let limit = work.limit(pace, active);
        active.task.limit_pass(pace.pass());
        logic.limit_time(time);
        let began = Instant::now();
        let (produced, done) = match work.part(active, logic.as_mut(), limit) {
            Err(TaskError::Overrun { step }) => {
                pace.cut_off(limit, *work.done(active));
                return Err(Reaction::CutOff(step));
            }
            part => part.map_err(|error| active.reaction(error))?,
        };
        if let Some(reason) = shared.trials.flood(*worker, plugins, active.task.open_ledger()) {
            return Err(Reaction::Abort(reason));
        }
        let took = began.elapsed();
        pace.ran(done, took, most, run_time / 2);
        if active.task.is_unfinished() {
            pace.passed(took);
        }
        active.sent |= !produced.is_empty();
        // Timers may be due that don't fire yet.
        if active.dirty {
            *work.done(active) += done;
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
        let Some(active) = self.tasks.get(number) else { return StepPlan::Limited };
        let pace = self.paces.entry((active.id, work.kind())).or_default();
        let alone = pace.is_alone() || self.isolated.of(active.id) != Isolation::Together;
        StepPlan::of(alone, work.limit(pace, active), uncommitted)
    }

    /// Holds global tables still until the transaction ends. False if they change, and a command comes meanwhile.
    fn acquire_permit(&mut self) -> bool {
        let Self { shared, transactions, mailbox, .. } = self;
        let go_on = || may_go_on(mailbox, shared);
        transactions.acquire_permit(shared.barrier.as_ref(), &go_on)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::step_plan::Uncommitted;
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

    /// A task with a backlog of records that each take longer than a transaction has time, beside a quick one that
    /// always has something in the open transaction when its turn comes.
    #[test]
    fn the_work_of_a_quick_task_beside_a_slow_one_is_committed_and_not_dropped_each_time() {
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

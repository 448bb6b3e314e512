//! How staged records go through the tasks, and how outputs come out in the order of the input.

use std::sync::Arc;

use millrace_engine::task::Produced;
use millrace_engine::topology::TopicKind;

use super::Replay;
use crate::error::Error;

impl<F: FnMut(&Produced) -> Result<(), Error>> Replay<'_, F> {
    /// Processes the staged records, and passes the outputs on in the order of the input.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.process(Vec::new())
    }

    /// Runs all tasks over the staged records, and passes on their outputs together with `outcomes`, by turn, then by
    /// task.
    fn process(&mut self, mut outcomes: Vec<(usize, Produced)>) -> Result<(), Error> {
        self.pending = 0;
        if self.one_at_a_time {
            self.circulate(&mut outcomes)?
        } else {
            self.cascade(&mut outcomes)?
        };
        if self.worker.is_ready() {
            return Err(Error::Input("records are left over after all tasks have run: a bug".into()));
        }
        outcomes.sort_by_key(|(task, produced)| (produced.turn, *task));
        for (_, produced) in &outcomes {
            let kind = self.worker.topology().topics.get(produced.topic.0).map(|topic| topic.kind);
            if kind != Some(TopicKind::Repartition) {
                (self.put_out)(produced)?;
            }
        }
        Ok(())
    }

    /// Runs each sub-topology once, after those that write its topics.
    fn cascade(&mut self, outcomes: &mut Vec<(usize, Produced)>) -> Result<(), Error> {
        let topology = Arc::clone(self.worker.topology());
        for (part, shape) in topology.subtopologies.iter().enumerate() {
            for record in shape.inputs.iter().flat_map(|topic| self.stage.take(*topic)) {
                self.worker.append_produced(record)?;
            }
            self.run_part(part, outcomes)?;
        }
        self.deliver()
    }

    /// Runs the sub-topologies again and again, until no task has anything left to do for this turn.
    fn circulate(&mut self, outcomes: &mut Vec<(usize, Produced)>) -> Result<(), Error> {
        self.deliver()?;
        while self.worker.is_ready() {
            for part in 0..self.worker.topology().subtopologies.len() {
                self.run_part(part, outcomes)?;
                self.deliver()?;
            }
        }
        Ok(())
    }

    fn run_part(&mut self, part: usize, outcomes: &mut Vec<(usize, Produced)>) -> Result<(), Error> {
        for task in self.worker.tasks_of(part) {
            while let Some(outputs) = self.worker.run_task(task, self.logic)? {
                for produced in outputs {
                    self.stage.put(task + 1, produced.clone());
                    outcomes.push((task, produced));
                }
                self.spill()?;
            }
        }
        Ok(())
    }

    /// Spills uncommitted changes to disk if there are many. No step can tell: results that wait for a commit go on
    /// waiting, and a replay that is interrupted starts from the beginning anyway.
    pub(super) fn spill(&mut self) -> Result<(), Error> {
        if self.worker.should_spill() {
            let ledger = self.worker.spill()?;
            (self.report)(&ledger);
        }
        Ok(())
    }

    fn deliver(&mut self) -> Result<(), Error> {
        self.stage.take_all().into_iter().try_for_each(|record| self.worker.append_produced(record))
    }

    /// Passes on outputs that came without a record, after the tasks that read them have processed them.
    pub(super) fn follow(&mut self, outcomes: Vec<(usize, Produced)>) -> Result<(), Error> {
        for (task, produced) in &outcomes {
            self.stage.put(task + 1, produced.clone());
        }
        self.process(outcomes)
    }

    /// Processes the staged records, then the results that wait for a commit.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        self.flush()?;
        loop {
            let (now, turn) = (self.clock, self.next_turn());
            let (mut outcomes, mut any) = (Vec::new(), false);
            for task in 0..self.worker.task_count() {
                while let Some(outputs) = self.worker.flush_task(task, self.logic, now, turn)? {
                    any = true;
                    outcomes.extend(outputs.into_iter().map(|produced| (task, produced)));
                }
            }
            if !any {
                break;
            }
            self.follow(outcomes)?;
        }
        Ok(())
    }
}

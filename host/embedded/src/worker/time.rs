//! Outputs that tasks give without a record: timers, results that wait for a commit, windows that close.

use millrace_engine::logic::Logic;
use millrace_engine::task::Produced;

use super::Worker;
use crate::error::Error;

impl Worker {
    /// Time of the next timer, by the clock that [`tick`](Self::tick) moves.
    pub fn next_tick(&self) -> Option<i64> {
        self.tasks.iter().filter_map(|active| active.task.next_tick()).min()
    }

    /// Time of the last timer that is set now.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_tick(&self) -> Result<Option<i64>, Error> {
        let mut last = None;
        for active in &self.tasks {
            last = last.max(active.task.last_tick()?);
        }
        Ok(last)
    }

    /// Moves the clock to `now`: the tasks fire the timers that are due, in the tasks' order, each task at most a
    /// thousand. The others stay [due](Self::next_tick). Outputs go to `seen` with the number of their task and with
    /// this `turn`; they are not appended.
    ///
    /// # Errors
    /// A task can't go on.
    pub fn tick(
        &mut self,
        logic: &mut dyn Logic,
        now: i64,
        turn: u64,
        mut seen: impl FnMut(usize, Produced),
    ) -> Result<(), Error> {
        for (number, active) in self.tasks.iter_mut().enumerate() {
            if active.task.next_tick().is_some_and(|next| next <= now) {
                self.dirty = true;
                active.task.tick(logic, now, turn)?.into_iter().for_each(|produced| seen(number, produced));
            }
        }
        Ok(())
    }

    /// Whether a task may be [committed](Self::commit) without another [flush](Self::flush_task).
    pub(crate) fn may_commit(&self, task: usize) -> bool {
        self.tasks.get(task).is_none_or(|active| active.task.may_commit())
    }

    /// Makes a task put out one pass of the results that wait for a commit, and returns these outputs without appending
    /// them; `None` if no result waits. Call it for every task before [`commit`](Self::commit), until each [may be
    /// committed](Self::may_commit).
    ///
    /// # Errors
    /// The task can't go on.
    pub(crate) fn flush_task(
        &mut self,
        task: usize,
        logic: &mut dyn Logic,
        now: i64,
        turn: u64,
    ) -> Result<Option<Vec<Produced>>, Error> {
        let Some(active) = self.tasks.get_mut(task).filter(|active| !active.task.is_flushed()) else { return Ok(None) };
        Ok(Some(active.task.flush(logic, now, turn)?))
    }

    /// Makes the tasks of a sub-topology put out the results that wait for stream time to pass. Outputs go to `seen` as
    /// in [`tick`](Self::tick).
    ///
    /// # Errors
    /// A task can't go on.
    pub fn close(
        &mut self,
        part: usize,
        logic: &mut dyn Logic,
        (now, turn): (i64, u64),
        mut seen: impl FnMut(usize, Produced),
    ) -> Result<(), Error> {
        for (number, active) in
            self.tasks.iter_mut().enumerate().filter(|(_, active)| active.task.subtopology() == part)
        {
            self.dirty = true;
            active.task.close(logic, now, turn)?.into_iter().for_each(|produced| seen(number, produced));
        }
        Ok(())
    }
}

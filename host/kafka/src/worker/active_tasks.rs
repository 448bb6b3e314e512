//! The tasks of a worker that are open.

use super::active_task::{ActiveTask, Input};
use super::isolation::IsolatedTasks;
use crate::state::postponed::PostponedWrites;

/// The open tasks, by their ids.
#[derive(Default)]
pub(super) struct ActiveTasks(Vec<ActiveTask>);

impl ActiveTasks {
    /// Adds tasks that were opened.
    pub(super) fn add(&mut self, tasks: impl IntoIterator<Item = ActiveTask>) {
        self.0.extend(tasks);
        self.0.sort_by_key(|active| active.id);
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> Vec<ActiveTask> {
        std::mem::take(&mut self.0)
    }

    /// Drops all of them, with their uncommitted work.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Drops the tasks that have uncommitted work.
    pub(super) fn drop_dirty(&mut self) {
        self.0.retain(|active| !active.dirty);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&ActiveTask> {
        self.0.get(number)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut ActiveTask> {
        self.0.get_mut(number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ActiveTask> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ActiveTask> {
        self.0.iter_mut()
    }

    /// Whether any has uncommitted work.
    pub(super) fn is_any_dirty(&self) -> bool {
        self.0.iter().any(|active| active.dirty)
    }

    /// Whether any has put out records that aren't committed.
    pub(super) fn has_results(&self) -> bool {
        self.0.iter().any(|active| active.sent)
    }

    /// Whether none has a backlog that it could process now.
    pub(super) fn is_caught_up(&self, isolated: &IsolatedTasks) -> bool {
        self.0.iter().all(|active| active.is_caught_up() || isolated.is_waiting(active.id))
    }

    /// Bytes of memory that the open transaction takes.
    pub(super) fn transaction_bytes(&self) -> usize {
        self.0.iter().map(|active| active.task.transaction_bytes()).sum()
    }

    /// The changes that are kept back from the local state.
    pub(super) fn postponed(&self) -> impl Iterator<Item = &PostponedWrites> {
        self.0.iter().flat_map(|active| &active.slots).filter_map(|slot| slot.postponed.as_ref())
    }

    /// Numbers the changelog slots of all tasks. Gives how many there are.
    pub(super) fn number_slots(&mut self) -> usize {
        let slots = self.0.iter_mut().flat_map(|active| &mut active.slots);
        slots.enumerate().map(|(number, slot)| slot.number = number).count()
    }

    /// Which task and input read a partition of a topic.
    pub(super) fn reader_of(&self, topic: &str, partition: i32) -> Option<(usize, usize)> {
        let is_it = |input: &Input| input.partition == Some(partition) && input.name.as_bytes() == topic.as_bytes();
        self.iter().enumerate().find_map(|(number, active)| Some((number, active.inputs.iter().position(is_it)?)))
    }
}

//! An open task of a worker, with its offsets in its input partitions.

use std::collections::BTreeMap;
use std::ffi::CString;

use bytes::Bytes;
use millrace_engine::deployment::ActivePlugins;
use millrace_engine::meta::input_key;
use millrace_engine::ports::{StoreChanges, StoreId};
use millrace_engine::record::Timestamp;
use millrace_engine::task::{InputPosition, Task, TaskError};
use millrace_engine::topology::TopicId;

use super::key_sample::KeySample;
use super::opener::TaskOffsets;
use super::task_error;
use crate::client::app::{App, hanging};
use crate::client::native::Fetcher;
use crate::cluster::limits::Limits;
use crate::cluster::metadata::Origin;
use crate::error::Reaction;
use crate::state::postponed::PostponedWrites;
use crate::tasks::TaskId;

/// An open task of a worker.
pub(super) struct ActiveTask {
    pub(super) id: TaskId,
    pub(super) task: Task,
    /// In the order of the task's inputs.
    pub(super) inputs: Vec<Input>,
    /// For each of its stores: the slot under which the producer keeps the offsets of its changelog records. The meta
    /// store is the last.
    pub(super) slots: Vec<ChangelogSlot>,
    /// The limits that the task checks its output against.
    pub(super) limits: Limits,
    /// Whether it has uncommitted work.
    pub(super) dirty: bool,
    /// Whether it has put out records since the last commit: a consumer may wait for them.
    pub(super) sent: bool,
    /// How many records it has processed since the last commit.
    pub(super) taken: usize,
    /// How many timers it has fired since then, at most.
    pub(super) fired: usize,
    /// The generations of the plugins that it runs, by name.
    pub(super) generations: BTreeMap<String, u32>,
    /// The version of the plugins that it runs, in this process.
    pub(super) version: u64,
}

/// A changelog partition of a task.
pub(super) struct ChangelogSlot {
    pub(super) store: StoreId,
    pub(super) number: usize,
    /// Key of its position in the state.
    pub(super) key: Vec<u8>,
    /// Id of the changelog topic.
    pub(super) topic: String,
    /// Committed changes of a store of records that expire, which aren't in the local state yet.
    pub(super) postponed: Option<PostponedWrites>,
}

/// An input partition of a task, with its offsets.
pub(super) struct Input {
    pub(super) topic: TopicId,
    pub(super) name: CString,
    /// None if the topic has no partition of this number.
    pub(super) partition: Option<i32>,
    /// Offset of the next record to be read into the task's queue.
    pub(super) next: i64,
    /// Offset of the next record to process.
    pub(super) position: i64,
    /// Offset that is committed.
    pub(super) committed: i64,
    /// Highest timestamp processed.
    pub(super) time: Option<Timestamp>,
    /// Goes with each offset that is committed.
    pub(super) origin: Origin,
    /// Whether it is kept in the meta store that offsets of this topic are committed.
    pub(super) noted: bool,
    /// End of the partition after all markers of transactions, if it was met since the last record.
    pub(super) end: Option<i64>,
    /// Offsets that are left to be read; none while that isn't known.
    pub(super) left: Option<i64>,
    /// Whether fetching waits for the queue to become shorter.
    pub(super) paused: bool,
    /// Since when nothing has come, if nothing waits.
    pub(super) quiet: Option<QuietSince>,
    /// Whether no record comes for a reason that isn't the worker's: it may not be read, no broker leads it, or nothing
    /// has come for long although there is more. That may last for days, and doesn't concern other inputs.
    pub(super) stalled: bool,
    /// Where its keys have to be in the same partitions as those of other inputs: checks a sample of them.
    pub(super) sample: Option<KeySample>,
}

/// So few offsets are no backlog: they may be markers of transactions, which no reader gets, or records that have just
/// come.
const BACKLOG_THRESHOLD: i64 = 100;

/// Since when an input has an empty queue and no new record.
pub(super) struct QuietSince {
    since: Timestamp,
    /// When to look next whether there is more.
    look: Timestamp,
    /// [`Input::next`] and [`Input::end`] at that time.
    at: (i64, Option<i64>),
}

/// Milliseconds without a record after which an input that has more is stalled, and is logged.
const STALLED_AFTER_MS: Timestamp = 15_000;

/// Milliseconds until it is logged again.
const LOG_INTERVAL_MS: Timestamp = 30_000;

impl Input {
    /// Updates how much is left, as far as the last fetch knew.
    pub(super) fn look(&mut self, fetcher: &Fetcher) {
        let Some(partition) = self.partition else { return };
        self.left = match self.end {
            Some(_) => Some(0),
            None => fetcher.known_end(&self.name, partition).map(|end| end.saturating_sub(self.next).max(0)),
        };
    }

    /// Whether more records are known to come, or nothing is known yet. The next offset may be a marker: then the next
    /// fetch shows that no record comes.
    pub(super) fn expects_more(&self) -> bool {
        self.partition.is_some() && self.left != Some(0)
    }

    /// Notes whether the input is stalled: no record has come for long, although there are more, or it is unknown
    /// whether there are. Logs it. Records of an open transaction lie after the end that a reader of committed records
    /// meets, and before the high watermark.
    pub(super) fn note(&mut self, fetcher: &Fetcher, queued: bool, now: Timestamp, app: App<'_>) -> bool {
        let Some(partition) = self.partition else { return false };
        let at = (self.next, self.end);
        let quiet = match &mut self.quiet {
            Some(quiet) if quiet.at == at && !queued => quiet,
            quiet => {
                *quiet = Some(QuietSince { since: now, look: now + STALLED_AFTER_MS, at });
                return false;
            }
        };
        let stalled = now - quiet.since >= STALLED_AFTER_MS;
        if now < quiet.look {
            return stalled;
        }
        quiet.look = now + LOG_INTERVAL_MS;
        let seconds = (now - quiet.since) / 1_000;
        if self.end.is_none_or(|end| fetcher.known_end(&self.name, partition).is_some_and(|high| high > end)) {
            let topic = self.name.to_string_lossy();
            let hanging = hanging(app.bootstrap, &topic);
            tracing::warn!(
                %topic,
                partition,
                next = self.next,
                seconds,
                "nothing comes from a partition that isn't read to its end: no broker leads it, its leader doesn't \
                 answer, or a transaction there is neither committed nor aborted yet; {hanging}. Other partitions go \
                 on"
            );
        }
        stalled
    }

    /// Whether there is no backlog that could be read.
    fn is_caught_up(&self) -> bool {
        self.partition.is_none() || self.stalled || self.left.is_some_and(|left| left <= BACKLOG_THRESHOLD)
    }
}

impl ActiveTask {
    /// Goes on with other versions of its plugins, between two transactions.
    pub(super) fn swap(&mut self, plugins: &ActivePlugins, version: u64) -> Result<(), Reaction> {
        self.task.swap(plugins).map_err(task_error)?;
        self.version = version;
        self.generations = plugins.generations_of(self.id.subtopology);
        Ok(())
    }

    /// Takes over the task's positions. Where the queue is empty, the next record comes after the markers of
    /// transactions that have been met: a position on a marker would look like a record that is left.
    pub(super) fn locate(&mut self, positions: &[InputPosition]) {
        for (input, position) in self.inputs.iter_mut().zip(positions) {
            input.position = position.next.unwrap_or(input.position);
            input.time = position.time;
        }
        self.skip_markers();
    }

    /// Moves positions past markers of transactions. Whether any has moved.
    pub(super) fn skip_markers(&mut self) -> bool {
        let mut moved = false;
        for (number, input) in self.inputs.iter_mut().enumerate() {
            if let Some(end) = input.end.filter(|end| *end > input.position && self.task.queued(number) == 0) {
                input.position = end;
                moved = true;
            }
        }
        moved
    }

    /// All of its work is committed, up to its positions.
    pub(super) fn settle(&mut self) {
        self.dirty = false;
        self.sent = false;
        (self.taken, self.fired) = (0, 0);
        for input in &mut self.inputs {
            input.committed = input.position;
            input.noted = true;
        }
    }

    /// The meta store keeps of which topics offsets are committed: its entries that are lacking. They are written in
    /// the transaction that commits the first offsets.
    pub(super) fn notes(&self, meta: StoreId) -> Option<StoreChanges> {
        let missing = self.inputs.iter().filter(|input| !input.noted && input.partition.is_some());
        let entry = |input: &Input| {
            (input_key(&input.name.to_string_lossy()), Some(Bytes::copy_from_slice(input.origin.topic.as_bytes())))
        };
        let mut entries: Vec<_> = missing.map(entry).collect();
        entries.sort();
        (!entries.is_empty()).then_some(StoreChanges { store: meta, entries, expire_before: None })
    }

    /// What follows from the task's error. If it couldn't write the changes that were kept back from the local state,
    /// that is the cause: a worker waits for room on a full disk.
    pub(super) fn reaction(&self, error: TaskError) -> Reaction {
        let postponed = self.slots.iter().filter_map(|slot| slot.postponed.as_ref());
        match (error, postponed.filter_map(PostponedWrites::take_failure).next()) {
            (TaskError::State(_), Some(cause)) => cause.into(),
            (error, _) => task_error(error),
        }
    }

    /// The committed offsets of its inputs.
    pub(super) fn committed(&self) -> TaskOffsets {
        let place = |input: &Input| {
            let place = (input.name.to_string_lossy().into_owned(), input.partition?);
            Some((place, (input.committed, input.origin.clone())))
        };
        self.inputs.iter().filter_map(place).collect()
    }

    /// Whether it has processed all known records of its inputs.
    pub(super) fn is_at_end(&self) -> bool {
        self.inputs.iter().enumerate().all(|(input, place)| !place.expects_more() && self.task.queued(input) == 0)
    }

    /// Whether it has no backlog that it could process: then an early commit makes no transaction smaller than it could
    /// be.
    pub(super) fn is_caught_up(&self) -> bool {
        self.waits() || self.inputs.iter().all(Input::is_caught_up)
    }

    /// Whether it has nothing to process until records come: it has processed all, or it waits for an input.
    pub(super) fn is_idle(&self) -> bool {
        self.waits() || self.is_at_end()
    }

    /// Whether it can process nothing until a stalled input can be read: the next record of that input may have the
    /// lowest timestamp.
    fn waits(&self) -> bool {
        let is_awaited =
            |(input, place): (usize, &Input)| place.stalled && place.expects_more() && self.task.queued(input) == 0;
        self.inputs.iter().enumerate().any(is_awaited)
    }
}

/// An input that is read to its end.
#[cfg(test)]
pub(super) fn input_for_tests(name: &std::ffi::CStr) -> Input {
    Input {
        topic: TopicId(0),
        name: name.into(),
        partition: Some(1),
        next: 7,
        position: 7,
        committed: 7,
        time: None,
        origin: Origin::default(),
        noted: true,
        end: Some(7),
        left: Some(0),
        paused: false,
        quiet: None,
        stalled: false,
        sample: None,
    }
}

#[cfg(test)]
mod tests;

//! Fetching records from the worker's consumer into the queues of its tasks.

use std::time::Duration;

use millrace_engine::topology::{TopicKind, Topology};
use rdkafka::error::RDKafkaErrorCode;

use super::active_task::{ActiveTask, Input};
use super::phase::{Fetching, Phase};
use super::unreadable::{InputAccess, UnreadableInputs};
use super::{IDLE_WAIT, Shared, Worker};
use crate::client::app::App;
use crate::client::fetch_failure::FetchFailure;
use crate::client::native::{Fetched, Fetcher};
use crate::clock::wall_clock;
use crate::cluster::contradictions::{self, InputPartition};
use crate::error::codes::remedy;
use crate::error::{Error, Reaction};

/// Bytes in the queue of an input above which fetching it is paused.
const QUEUE_LIMIT_BYTES: usize = 2 << 20;

/// How long to wait for records that are known to be there.
const FETCH_WAIT: Duration = Duration::from_millis(2);

impl Worker {
    /// Reads records that have come into the tasks' queues. Returns how many records and ends of partitions came.
    pub(super) fn fetch_records(&mut self) -> Result<usize, Reaction> {
        let wait = self.fetch_wait();
        let Self { phase: Phase::Running(_, fetching), tasks, buffer, shared, unreadable, .. } = self else {
            return Ok(0);
        };
        let Fetching { fetcher: Some(fetcher), readers } = fetching else { return Ok(0) };
        let now = wall_clock();
        let (mut failed, mut gone) = (None, None);
        let count = fetcher.poll(wait, |topic, partition, fetched| {
            let find = || tasks.reader_of(&topic.name(), partition);
            let Some((active, input)) = *readers.entry((topic.handle(), partition)).or_insert_with(find) else {
                return;
            };
            let Some(active) = tasks.get_mut(active) else { return };
            let Some(place) = active.inputs.get_mut(input) else { return };
            match fetched {
                Fetched::Record(message) if message.offset() < place.next => {}
                Fetched::Record(message) => {
                    place.next = message.offset() + 1;
                    place.end = None;
                    if let Some(expected) = place.sample.as_mut().and_then(|sample| sample.look(message.key())) {
                        shared.hint(place.topic, partition, message.offset(), expected);
                    }
                    active.task.offer(input, message.record(buffer, now));
                }
                Fetched::End(offset) => {
                    // The markers before it may be gone when reading goes on.
                    place.next = place.next.max(offset);
                    place.end = Some(offset);
                }
                Fetched::Failed(code, text) => {
                    match failure(is_own(&shared.topology, place), place, partition, code, &text) {
                        Failure::Passing => {}
                        Failure::OffsetGone => {
                            let topic = place.name.to_string_lossy().into_owned();
                            gone = Some(Gone { topic, partition, next: place.next, text });
                        }
                        Failure::OfInput(reason) => unreadable.note_failure(place, partition, reason, now),
                        Failure::OfAll(reaction) => failed = failed.take().or(Some(reaction)),
                    }
                }
            }
        });
        // Before any record is processed: it may be from the middle of the new topic.
        if let Some(topic) = fetcher.made_anew() {
            let place =
                tasks.iter().flat_map(|active| &active.inputs).find(|place| place.name.to_bytes() == topic.as_bytes());
            let partition = place.and_then(|place| place.partition).unwrap_or(0);
            let place = InputPartition { app: shared.settings.app(), topic, partition };
            return Err(Reaction::Stop(Error::Setup(contradictions::made_anew_while_read(place))));
        }
        if let Some(reaction) = failed.or(gone.map(|gone| gone.reaction(shared))) {
            return Err(reaction);
        }
        for active in tasks.iter_mut() {
            mark(active, fetcher, unreadable, now, shared.settings.app())?;
        }
        Ok(count)
    }

    /// How long to wait for records.
    fn fetch_wait(&self) -> Duration {
        if let Some(pause) = self.pause() {
            return pause;
        }
        if self.tasks.iter().any(|active| active.task.ready() && !self.isolated.is_waiting(active.id)) {
            return Duration::ZERO;
        }
        match (self.tasks.has_results(), self.is_caught_up()) {
            // There are results to commit, and no backlog: the commit isn't delayed by a wait.
            (true, true) => Duration::ZERO,
            (true, false) => FETCH_WAIT,
            (false, _) if self.tasks.is_any_dirty() => IDLE_WAIT.min(self.until_commit()),
            (false, _) => IDLE_WAIT,
        }
    }
}

/// Tells the task which of its inputs have more records, and pauses or resumes fetching them.
fn mark(
    active: &mut ActiveTask,
    fetcher: &Fetcher,
    unreadable: &mut UnreadableInputs,
    now: i64,
    app: App<'_>,
) -> Result<(), Reaction> {
    for (input, place) in active.inputs.iter_mut().enumerate() {
        let queued = active.task.queued_bytes(input);
        place.look(fetcher);
        let access = unreadable.check(place, now);
        active.task.expect_more(input, place.expects_more());
        place.stalled = access != InputAccess::Readable || place.note(fetcher, queued > 0, now, app);
        let Some(partition) = place.partition else { continue };
        let is_full = queued > if place.paused { QUEUE_LIMIT_BYTES / 4 } else { QUEUE_LIMIT_BYTES };
        let pause = is_full || access == InputAccess::Waiting;
        if pause != place.paused {
            place.paused = pause;
            match place.paused {
                true => fetcher.leave(&place.name, partition)?,
                false => fetcher.enter(&place.name, partition, place.next)?,
            }
        }
    }
    Ok(())
}

/// An offset that a broker doesn't have.
struct Gone {
    topic: String,
    partition: i32,
    next: i64,
    text: String,
}

impl Gone {
    /// The leader's present offsets decide: where `client.rack` is set, another replica may have answered (KIP-392),
    /// and a leader that has just been elected may have lacked records that it has by now.
    fn reaction(self, shared: &Shared) -> Reaction {
        let Self { topic, partition, next, text } = self;
        let why = match shared.cluster.range(&topic, partition.cast_unsigned()) {
            Ok((first, _)) if next < first => "it was deleted before it was read",
            Ok((_, end)) if next > end => "the topic was made anew, or has lost records",
            _ => {
                let what = format!(
                    "topic `{topic}`, partition {partition}: a broker says that it lacks offset {next}, and the leader \
                     has it"
                );
                return Reaction::Abort(format!("{what}: {text}"));
            }
        };
        Reaction::Stop(Error::Setup(format!(
            "topic `{topic}`, partition {partition}: the record at offset {next} is to be processed next, and isn't \
             there any more: {why}. {}",
            contradictions::ways_out(InputPartition { app: shared.settings.app(), topic: &topic, partition })
        )))
    }
}

/// Whether the app has made the topic.
fn is_own(topology: &Topology, place: &Input) -> bool {
    topology.topics.get(place.topic.0).is_none_or(|topic| topic.kind != TopicKind::External)
}

/// What follows from an error on a partition.
#[derive(Debug)]
enum Failure {
    /// Nothing: librdkafka goes on trying.
    Passing,
    /// The leader's offsets decide: see [`Gone`].
    OffsetGone,
    /// The input can't be read; others can.
    OfInput(String),
    /// The transaction is aborted, and its tasks are opened anew.
    OfAll(Reaction),
}

/// What follows from an error on a partition. A topic of the app's own that is gone has lost records that are nowhere
/// else: that shows when its tasks are opened anew. One that may not be read is still there.
fn failure(is_own: bool, place: &Input, partition: i32, code: RDKafkaErrorCode, text: &str) -> Failure {
    let topic = place.name.to_string_lossy();
    let reason = || format!("topic `{topic}`, partition {partition} can't be read: {text}{}", remedy(code));
    match FetchFailure::of(code) {
        FetchFailure::OffsetGone => Failure::OffsetGone,
        FetchFailure::Forbidden => Failure::OfInput(reason()),
        FetchFailure::Unavailable if !is_own => Failure::OfInput(reason()),
        FetchFailure::Unavailable | FetchFailure::NotUnderstood => Failure::OfAll(Reaction::Abort(reason())),
        FetchFailure::Passing => {
            tracing::debug!(%topic, partition, %code, "{text}");
            Failure::Passing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::active_task::input_for_tests;
    use super::*;

    #[test]
    fn a_topic_that_may_not_be_read_holds_up_its_own_task_and_no_other() {
        use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopicOrPartition};
        let place = input_for_tests(c"app-sums-repartition");
        let of = |is_own, code| failure(is_own, &place, 1, code, "no");
        for is_own in [true, false] {
            assert!(matches!(of(is_own, TopicAuthorizationFailed), Failure::OfInput(_)), "{is_own}");
        }
        assert!(matches!(of(false, UnknownTopicOrPartition), Failure::OfInput(_)));
        assert!(
            matches!(of(true, UnknownTopicOrPartition), Failure::OfAll(Reaction::Abort(_))),
            "its records are gone"
        );
    }
}

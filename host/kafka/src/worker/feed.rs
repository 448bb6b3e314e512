//! Reading: from the worker's consumer into the queues of its tasks.

use std::time::Duration;

use millrace_engine::topology::{TopicKind, Topology};
use rdkafka::error::RDKafkaErrorCode;

use super::barred::{InputAccess, UnreadableInputs};
use super::seat::{ActiveTask, Input};
use super::{IDLE_WAIT, Shared, Worker};
use crate::client::app::App;
use crate::client::native::{Fetched, Fetcher};
use crate::clock::wall_clock;
use crate::cluster::contradictions::{self, InputPartition};
use crate::error::codes::{Class, class, remedy};
use crate::error::{Error, Reaction};

/// Bytes that wait on an input of a task, after which nothing more is fetched for it.
const QUEUE_LIMIT_BYTES: usize = 2 << 20;

/// How long to wait for records that are known to come.
const FETCH_WAIT: Duration = Duration::from_millis(2);

impl Worker {
    /// Reads what there is into the tasks' queues. Returns how much it was.
    pub(super) fn feed(&mut self) -> Result<usize, Reaction> {
        let patience = self.patience();
        let Self { fetcher: Some(fetcher), seats, readers, buffer, shared, barred, .. } = self else { return Ok(0) };
        let now = wall_clock();
        let (mut failed, mut gone) = (None, None);
        let count = fetcher.poll(patience, |topic, partition, fetched| {
            let find = || place_of(seats, &topic.name(), partition);
            let Some((seat, input)) = *readers.entry((topic.handle(), partition)).or_insert_with(find) else { return };
            let Some(seat) = seats.get_mut(seat) else { return };
            let Some(place) = seat.inputs.get_mut(input) else { return };
            match fetched {
                Fetched::Record(message) if message.offset() < place.next => {}
                Fetched::Record(message) => {
                    place.next = message.offset() + 1;
                    place.end = None;
                    if let Some(expected) = place.sample.as_mut().and_then(|sample| sample.look(message.key())) {
                        shared.hint(place.topic, partition, message.offset(), expected);
                    }
                    seat.task.offer(input, message.record(buffer, now));
                }
                Fetched::End(offset) => {
                    // The marks before it needn't be there any more when it is read on.
                    place.next = place.next.max(offset);
                    place.end = Some(offset);
                }
                Fetched::Failed(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange, text) => {
                    let topic = place.name.to_string_lossy().into_owned();
                    gone = Some(Gone { topic, partition, next: place.next, text });
                }
                Fetched::Failed(code, text) => {
                    match failure(is_own(&shared.topology, place), place, partition, code, &text) {
                        Failure::Passing => {}
                        Failure::OfInput(reason) => barred.add(place, partition, reason, now),
                        Failure::OfAll(reaction) => failed = failed.take().or(Some(reaction)),
                    }
                }
            }
        });
        // Before anything is processed: it may be from the middle of another topic.
        if let Some(topic) = fetcher.made_anew() {
            let place =
                seats.iter().flat_map(|seat| &seat.inputs).find(|place| place.name.to_bytes() == topic.as_bytes());
            let partition = place.and_then(|place| place.partition).unwrap_or(0);
            let place = InputPartition { app: shared.settings.app(), topic, partition };
            return Err(Reaction::Stop(Error::Setup(contradictions::made_anew_while_read(place))));
        }
        if let Some(reaction) = failed.or(gone.map(|gone| gone.reaction(shared))) {
            return Err(reaction);
        }
        for seat in seats {
            mark(seat, fetcher, barred, now, shared.settings.app())?;
        }
        Ok(count)
    }

    fn patience(&self) -> Duration {
        if let Some(rest) = self.rest() {
            return rest;
        }
        if self.seats.iter().any(|seat| seat.task.ready() && !self.apart.is_waiting(seat.id)) {
            return Duration::ZERO;
        }
        match (self.has_results(), self.is_caught_up()) {
            // There is something to commit, and little to come: not even the time of a wait is to be lost.
            (true, true) => Duration::ZERO,
            (true, false) => FETCH_WAIT,
            (false, _) if self.seats.iter().any(|seat| seat.dirty) => IDLE_WAIT.min(self.until_due()),
            (false, _) => IDLE_WAIT,
        }
    }
}

fn place_of(seats: &[ActiveTask], topic: &str, partition: i32) -> Option<(usize, usize)> {
    let is_it = |input: &Input| input.partition == Some(partition) && input.name.as_bytes() == topic.as_bytes();
    seats.iter().enumerate().find_map(|(number, seat)| Some((number, seat.inputs.iter().position(is_it)?)))
}

/// Says which inputs expect more, and stops or goes on reading them.
fn mark(
    seat: &mut ActiveTask,
    fetcher: &Fetcher,
    barred: &mut UnreadableInputs,
    now: i64,
    app: App<'_>,
) -> Result<(), Reaction> {
    for (input, place) in seat.inputs.iter_mut().enumerate() {
        let queued = seat.task.queued_bytes(input);
        place.look(fetcher);
        let standing = barred.look(place, now);
        seat.task.expect_more(input, place.expects_more());
        place.stalled = standing != InputAccess::Free || place.note(fetcher, queued > 0, now, app);
        let Some(partition) = place.partition else { continue };
        let is_full = queued > if place.paused { QUEUE_LIMIT_BYTES / 4 } else { QUEUE_LIMIT_BYTES };
        let pause = is_full || standing == InputAccess::Waits;
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

/// An offset that a broker says it doesn't have.
struct Gone {
    topic: String,
    partition: i32,
    next: i64,
    text: String,
}

impl Gone {
    /// It is the leader's word that counts, as it is now: where `client.rack` is set, another replica may have answered
    /// (KIP-392), and a leader that has just been elected may have lacked what it has by now.
    fn reaction(self, shared: &Shared) -> Reaction {
        let Self { topic, partition, next, text } = self;
        let why = match shared.cluster.range(&topic, partition.cast_unsigned()) {
            Ok((first, _)) if next < first => "it was deleted before it was read",
            Ok((_, end)) if next > end => "the topic was made anew, or has lost records",
            _ => {
                let what = format!(
                    "topic `{topic}`, partition {partition}: a broker says that it lacks offset {next}, and the leader has it"
                );
                return Reaction::Abort(format!("{what}: {text}"));
            }
        };
        Reaction::Stop(Error::Setup(format!(
            "topic `{topic}`, partition {partition}: the record at offset {next} is to be processed next, and isn't there \
             any more: {why}. {}",
            contradictions::ways_out(InputPartition { app: shared.settings.app(), topic: &topic, partition })
        )))
    }
}

/// Whether the app has made the topic.
fn is_own(topology: &Topology, place: &Input) -> bool {
    topology.topics.get(place.topic.0).is_none_or(|topic| topic.kind != TopicKind::External)
}

/// What another error on a partition is about.
#[derive(Debug)]
enum Failure {
    /// A connection, for example: librdkafka goes on trying.
    Passing,
    /// The input: others can be read.
    OfInput(String),
    /// All that the worker does.
    OfAll(Reaction),
}

/// What another error on a partition means. A topic of the app's own that is gone has lost what is nowhere else: that shows
/// when its tasks are opened anew. One that may not be read is still there.
fn failure(is_own: bool, place: &Input, partition: i32, code: RDKafkaErrorCode, text: &str) -> Failure {
    let topic = place.name.to_string_lossy();
    let reason = || format!("topic `{topic}`, partition {partition} can't be read: {text}{}", remedy(code));
    match class(code) {
        Class::Topic if code == RDKafkaErrorCode::TopicAuthorizationFailed => Failure::OfInput(reason()),
        Class::Topic | Class::Permission if !is_own => Failure::OfInput(reason()),
        Class::Topic | Class::Permission | Class::App => Failure::OfAll(Reaction::Abort(reason())),
        _ => {
            tracing::debug!(%topic, partition, %code, "{text}");
            Failure::Passing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::seat::input_for_tests;
    use super::*;

    #[test]
    fn a_topic_that_may_not_be_read_holds_its_own_task_and_no_other_whoever_has_made_it() {
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

//! Records that brokers don't take, however often they are sent: their time is too far from the broker's clock, they have
//! no key and the topic is compacted, or the broker checks them by rules of its own.
//!
//! Which records these are is the brokers' decision, and it is learned from what they refuse, as in [`limits`]: the
//! transaction is dropped, and when its input is processed again, the record fails at its step. It becomes a dead letter
//! with the broker's code, and its neighbours come through. A broker says which records of a batch it means; where that isn't
//! clear, the next transaction's records are sent each for itself.
//!
//! Two kinds of records can't fail at a step: a dead letter, which has nowhere else to go, and an entry of a changelog,
//! which is state. If these are refused, the process stops, and says which and why.
//!
//! [`limits`]: crate::limits

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use millrace_engine::refused::{Fingerprint, Refused};
use millrace_engine::topology::{TopicId, TopicKind, Topology};

use crate::error::Error;
use crate::limits::TooLarge;
use crate::unclear::Unclear;

/// What brokers have refused of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    pub(crate) too_large: Vec<TooLarge>,
    pub(crate) records: Vec<Refusal>,
}

/// A record that a broker doesn't take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) record: Fingerprint,
    /// Why, as far as the broker's code says.
    pub(crate) reason: Arc<str>,
    /// Whether it is this record that the broker means, and not one that was sent with it.
    pub(crate) is_told_apart: bool,
    /// Where the record is from that a dead letter is about.
    pub(crate) origin: Option<String>,
}

impl Refusals {
    /// Why the process can't go on, where it is a topic of its own that refuses something.
    pub(crate) fn of_own_topic(&self, topic: &str) -> Error {
        let too_large = self.too_large.first().map(|TooLarge { bytes, .. }| {
            format!("topic `{topic}` doesn't take a record of {bytes} bytes: raise its `max.message.bytes`")
        });
        Error::Setup(too_large.or_else(|| self.records.first().map(say)).unwrap_or_default())
    }
}

/// Finds out which records a broker means, by what librdkafka has made of its answer. Those that come here have come back
/// with a code of a refusal, each with the place of the broker's words in memory; those of a partition are a batch: what is
/// sent behind one that was refused is out of order.
///
/// Where several records of a batch were refused, librdkafka gives the others another code, and their partition is among
/// `coded`. Where one was, all come back with its code (librdkafka 2.12.1, `rd_kafka_dr_msgq0`), but it alone has words of
/// its own, and the others share some. If all share theirs, they are about the batch. Where it isn't clear, nothing is
/// known of any record of the batch; those that aren't meant are left out.
pub(crate) fn tell_apart(refusals: Vec<(usize, Refusal)>, coded: &BTreeSet<(String, i32)>) -> Vec<Refusal> {
    let mut batches: BTreeMap<(String, i32), Batch> = BTreeMap::new();
    for (words, refusal) in refusals {
        let batch = batches.entry((refusal.topic.clone(), refusal.partition)).or_default();
        batch.entry(words).or_default().push(refusal);
    }
    batches.into_iter().flat_map(|(place, batch)| meant(coded.contains(&place), batch)).collect()
}

/// Refused records of a batch, by the place of their words.
type Batch = BTreeMap<usize, Vec<Refusal>>;

/// The records of a batch that the broker means, or all of them if it isn't clear.
fn meant(is_coded: bool, batch: Batch) -> Vec<Refusal> {
    let is_own = |(words, all): &(&usize, &Vec<Refusal>)| **words != 0 && all.len() == 1;
    let (own, all) = (batch.iter().filter(is_own).count(), batch.values().map(Vec::len).sum::<usize>());
    let is_told_apart = match all {
        1 => true,
        // Two that differ may be one that is meant and one that isn't.
        2 => is_coded,
        _ => is_coded || own > 0,
    };
    let some = is_told_apart && !is_coded && all > 1;
    let kept = batch.into_iter().filter(|(words, all)| !some || is_own(&(words, all)));
    kept.flat_map(|(_, all)| all).map(|refusal| Refusal { is_told_apart, ..refusal }).collect()
}

/// What was learned in this process, by all of its workers.
#[derive(Default)]
pub(crate) struct Learned(Mutex<State>);

#[derive(Default)]
struct State {
    refused: Arc<Refused>,
    /// How many records are known.
    count: usize,
    /// How often each record was refused that is known, and so can't have been sent.
    again: BTreeMap<(TopicId, Fingerprint), u32>,
}

/// So many records are remembered. Each is needed until the transaction that it was in is committed.
const MOST: usize = 100_000;

/// So often may a record be refused that the task knew which put it out.
const PATIENCE: u32 = 3;

impl Learned {
    /// What was refused so far, if anything was.
    pub(crate) fn known(&self) -> Option<Arc<Refused>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.count > 0).then(|| Arc::clone(&state.refused))
    }

    /// Takes note of records that were refused, and of partitions of which it is unclear which they mean. Gives the reason,
    /// for the log. `known` is what the worker's tasks were opened with; `alone`, whether each record was sent for itself.
    ///
    /// # Errors
    /// A record can't fail at a step, or has, and was sent all the same.
    pub(crate) fn learn(
        &self,
        topology: &Topology,
        known: Option<&Refused>,
        alone: bool,
        refusals: &[Refusal],
        unclear: &mut Unclear,
    ) -> Result<String, Error> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for refusal in refusals {
            if !alone && !refusal.is_told_apart {
                unclear.add(&refusal.topic, refusal.partition);
                continue;
            }
            let topic = step_topic(topology, refusal)?;
            if known.is_some_and(|known| known.reason(topic, refusal.record).is_some()) {
                let again = state.again.entry((topic, refusal.record)).or_default();
                *again += 1;
                if *again >= PATIENCE {
                    return Err(Error::Task(format!("{}, again and again: a bug", say(refusal))));
                }
            }
            state.add(topic, refusal);
            unclear.name(&refusal.topic, refusal.partition);
        }
        let more = refusals.len().saturating_sub(1);
        let first = refusals.first().map(say).unwrap_or_default();
        Ok(if more == 0 { first } else { format!("{first}; and {more} more") })
    }
}

impl State {
    fn add(&mut self, topic: TopicId, refusal: &Refusal) {
        if self.count >= MOST {
            (self.refused, self.count) = (Arc::default(), 0);
        }
        let is_new = Arc::make_mut(&mut self.refused).learn(topic, refusal.record, Arc::clone(&refusal.reason));
        self.count += usize::from(is_new);
    }
}

fn say(Refusal { topic, partition, reason, .. }: &Refusal) -> String {
    format!("topic `{topic}`, partition {partition} refuses a record: {reason}")
}

/// The topic, if it is one that a step writes to.
fn step_topic(topology: &Topology, refusal: &Refusal) -> Result<TopicId, Error> {
    let Refusal { topic, partition, reason, origin, .. } = refusal;
    let Some(place) = topology.topics.iter().position(|own| own.name == *topic) else {
        return Err(Error::Task(format!(
            "the changelog topic `{topic}`, partition {partition} refuses an entry, and state can't be left out: {reason}. \
             Compare the clocks of this machine and of the broker, and see that the topic has \
             `message.timestamp.after.max.ms` and `message.timestamp.before.max.ms` at {}",
            i64::MAX
        )));
    };
    if topology.topics.get(place).is_none_or(|topic| topic.kind != TopicKind::DeadLetters) {
        return Ok(TopicId(place));
    }
    Err(Error::Task(format!(
        "the dead-letter topic `{topic}`, partition {partition} refuses the letter of the record at {}, and there is no other \
         place for it: {reason}. Set the topic up so that it takes the letter (without `cleanup.policy=compact`, and without \
         limits of timestamps), or name another one with `dlq`; then start the app again",
        origin.as_deref().unwrap_or("an unknown place")
    )))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use millrace_pipeline::{self as pipeline, SourceFile};

    use super::*;

    const PASS: &str = r#"
        app = "pass"
        [[source]]
        name = "in"
        topic = "in"
        [[table]]
        name = "rows"
        topic = "rows"
        [[sink]]
        from = "in"
        topic = "out"
    "#;

    fn topology() -> Topology {
        let file = SourceFile { path: "pass.toml".into(), text: PASS.into() };
        pipeline::build(&pipeline::parse(&[file], &Default::default()).unwrap(), &Default::default()).unwrap()
    }

    fn refusal(topic: &str, time: i64, reason: &str) -> Refusal {
        let record = Fingerprint::of(Some(b"k"), Some(b"v"), time);
        let origin = Some("topic `in`, partition 1, offset 7".to_owned());
        Refusal { topic: topic.into(), partition: 0, record, reason: reason.into(), is_told_apart: true, origin }
    }

    fn is_known(learned: &Learned, topology: &Topology, refusal: &Refusal) -> bool {
        let topic = TopicId(topology.topics.iter().position(|topic| topic.name == refusal.topic).unwrap());
        learned.known().is_some_and(|known| known.reason(topic, refusal.record).is_some())
    }

    #[test]
    fn a_refusal_is_known_from_then_on_with_its_reason_and_place() {
        let (topology, learned) = (topology(), Learned::default());
        assert!(learned.known().is_none());
        let [first, second] = [7, 8].map(|time| refusal("out", time, "too far ahead"));
        let mut unclear = Unclear::default();
        let reason = learned.learn(&topology, None, false, &[first.clone(), second.clone()], &mut unclear).unwrap();
        assert_eq!(reason, "topic `out`, partition 0 refuses a record: too far ahead; and 1 more");
        assert!(unclear.is_empty());
        assert!(is_known(&learned, &topology, &first) && is_known(&learned, &topology, &second));
        assert!(!is_known(&learned, &topology, &refusal("out", 9, "")));
        assert!(!is_known(&learned, &topology, &refusal("in", 7, "")));
    }

    #[test]
    fn where_the_broker_does_not_say_which_record_each_is_sent_alone_and_then_it_is_known() {
        let (topology, learned) = (topology(), Learned::default());
        let all = [Refusal { is_told_apart: false, ..refusal("out", 7, "the batch is invalid") }];
        let mut unclear = Unclear::default();
        learned.learn(&topology, None, false, &all, &mut unclear).unwrap();
        unclear.committed();
        assert!(!is_known(&learned, &topology, &all[0]) && !unclear.is_empty(), "whatever another task commits");
        learned.learn(&topology, None, true, &all, &mut unclear).unwrap();
        assert!(is_known(&learned, &topology, &all[0]) && !unclear.is_empty(), "until a commit");
        unclear.committed();
        assert!(unclear.is_empty());
    }

    /// What is found of a batch of records with these places of words: their times, and whether the broker means them.
    fn found(words: &[usize], is_coded: bool) -> (Vec<i64>, bool) {
        let record = |time: i64| Fingerprint::of(None, None, time);
        let refusal = |time| Refusal { record: record(time), is_told_apart: false, ..refusal("out", 1, "no") };
        let refusals = words.iter().zip(1..).map(|(words, time)| (*words, refusal(time))).collect();
        let coded = is_coded.then(|| ("out".to_owned(), 0)).into_iter().collect();
        let told = tell_apart(refusals, &coded);
        let time = |refusal: &Refusal| (1..9).find(|time| record(*time) == refusal.record).unwrap();
        let mut times: Vec<_> = told.iter().map(time).collect();
        times.sort_unstable();
        (times, told.iter().all(|refusal| refusal.is_told_apart))
    }

    #[test]
    fn the_record_that_a_broker_means_is_told_from_those_that_were_sent_with_it() {
        assert_eq!(found(&[5], false), (vec![1], true), "it was alone");
        assert_eq!(found(&[7, 5, 7, 7], false), (vec![2], true), "one of several");
        assert_eq!(found(&[7, 7, 5], false), (vec![3], true));
        assert_eq!(found(&[5, 6, 8], false), (vec![1, 2, 3], true), "all of them");
        assert_eq!(found(&[5, 6], true), (vec![1, 2], true), "others have another code");
        assert_eq!(found(&[0, 0, 0], true), (vec![1, 2, 3], true));
        assert_eq!(found(&[7, 5], false), (vec![1, 2], false), "one of two");
        assert_eq!(found(&[7, 7, 7], false), (vec![1, 2, 3], false), "the batch");
        assert_eq!(found(&[0, 0, 0], false), (vec![1, 2, 3], false), "without a word");
    }

    #[test]
    fn a_record_that_is_known_and_refused_again_and_again_stops_the_process() {
        let (topology, learned) = (topology(), Learned::default());
        let all = [refusal("out", 7, "too far ahead")];
        learned.learn(&topology, None, false, &all, &mut Unclear::default()).unwrap();
        let known = learned.known().unwrap();
        for _ in 1..PATIENCE {
            learned.learn(&topology, Some(&known), false, &all, &mut Unclear::default()).unwrap();
        }
        assert!(learned.learn(&topology, Some(&known), false, &all, &mut Unclear::default()).is_err());
    }

    #[test]
    fn several_records_that_are_known_and_refused_once_more_do_not_stop_the_process() {
        let (topology, learned) = (topology(), Learned::default());
        let all = [7, 8, 9].map(|time| refusal("out", time, "too far ahead"));
        learned.learn(&topology, None, false, &all, &mut Unclear::default()).unwrap();
        let known = learned.known().unwrap();
        for refusal in all {
            learned.learn(&topology, Some(&known), false, &[refusal], &mut Unclear::default()).unwrap();
        }
    }

    #[test]
    fn a_dead_letter_and_an_entry_of_a_changelog_stop_the_process_with_the_place_and_the_reason() {
        let (topology, learned) = (topology(), Learned::default());
        let said = |topic| {
            learned
                .learn(&topology, None, false, &[refusal(topic, 7, "no key")], &mut Unclear::default())
                .unwrap_err()
                .to_string()
        };
        assert!(said("pass-dlq").starts_with(
            "the dead-letter topic `pass-dlq`, partition 0 refuses the letter of the record at topic `in`, partition 1, \
             offset 7, and there is no other place for it: no key."
        ));
        assert!(said("pass-rows-changelog").starts_with(
            "the changelog topic `pass-rows-changelog`, partition 0 refuses an entry, and state can't be left out: no key."
        ));
    }
}

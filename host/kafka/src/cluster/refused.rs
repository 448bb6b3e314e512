//! Records that brokers refuse, however often they are sent: their time is too far from the broker's clock, they have
//! no key and the topic is compacted, or the broker checks them by rules of its own.
//!
//! Brokers decide which records these are, and the process learns it from refusals, as in [`limits`]: the transaction
//! is dropped, and when its input is processed again, the record fails at its step. It becomes a dead letter with the
//! broker's code, and its neighbours come through. A broker names the records of a batch that it means; where that
//! isn't clear, the next transaction's records are sent each for itself.
//!
//! Two kinds of records can't fail at a step: a dead letter, which has nowhere else to go, and an entry of a changelog,
//! which is state. If these are refused, the process stops with the place and the reason.
//!
//! [`limits`]: crate::cluster::limits

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_engine::refused::{Fingerprint, Refused};
use millrace_engine::topology::{TopicId, TopicKind, Topology};

use crate::cluster::unclear::UnclearRefusals;
use crate::error::Error;
use crate::error::refusals::{RefusedRecord, describe_refusal};

/// Refusals that this process has learned, from all of its workers.
#[derive(Default)]
pub(crate) struct KnownRefusals(Mutex<RefusalHistory>);

#[derive(Default)]
struct RefusalHistory {
    refused: Arc<Refused>,
    /// How many records are known.
    count: usize,
    /// How often each record was refused that is known, and so can't have been sent.
    again: BTreeMap<(TopicId, Fingerprint), u32>,
}

/// The most records that are remembered. Each is needed until the transaction that it was in is committed.
const REMEMBERED_LIMIT: usize = 100_000;

/// How often a record may be refused although the task that put it out knew of it.
const REFUSALS_LIMIT: u32 = 3;

impl KnownRefusals {
    /// The refused records so far, if there are any.
    pub(crate) fn known(&self) -> Option<Arc<Refused>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.count > 0).then(|| Arc::clone(&state.refused))
    }

    /// Takes note of records that were refused, and of partitions of which it is unclear which they mean. Gives the
    /// reason, for the log. `known` is what the worker's tasks were opened with; `alone`, whether each record was sent
    /// for itself.
    ///
    /// # Errors
    /// A record can't fail at a step, or has, and was sent all the same.
    pub(crate) fn learn(
        &self,
        topology: &Topology,
        known: Option<&Refused>,
        alone: bool,
        refusals: &[RefusedRecord],
        unclear: &mut UnclearRefusals,
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
                if *again >= REFUSALS_LIMIT {
                    return Err(Error::Task(format!("{}, again and again: a bug", describe_refusal(refusal))));
                }
            }
            state.add(topic, refusal);
            unclear.name(&refusal.topic, refusal.partition);
        }
        let more = refusals.len().saturating_sub(1);
        let first = refusals.first().map(describe_refusal).unwrap_or_default();
        Ok(if more == 0 { first } else { format!("{first}; and {more} more") })
    }
}

impl RefusalHistory {
    fn add(&mut self, topic: TopicId, refusal: &RefusedRecord) {
        if self.count >= REMEMBERED_LIMIT {
            (self.refused, self.count) = (Arc::default(), 0);
        }
        let is_new = Arc::make_mut(&mut self.refused).learn(topic, refusal.record, Arc::clone(&refusal.reason));
        self.count += usize::from(is_new);
    }
}

/// The topic, if it is one that a step writes to.
fn step_topic(topology: &Topology, refusal: &RefusedRecord) -> Result<TopicId, Error> {
    let RefusedRecord { topic, partition, reason, origin, .. } = refusal;
    let Some(place) = topology.topics.iter().position(|own| own.name == *topic) else {
        return Err(Error::Task(format!(
            "the changelog topic `{topic}`, partition {partition} refuses an entry, and state can't be left out: \
             {reason}. Compare the clocks of this machine and of the broker, and see that the topic has \
             `message.timestamp.after.max.ms` and `message.timestamp.before.max.ms` at {}",
            i64::MAX
        )));
    };
    if topology.topics.get(place).is_none_or(|topic| topic.kind != TopicKind::DeadLetters) {
        return Ok(TopicId(place));
    }
    Err(Error::Task(format!(
        "the dead-letter topic `{topic}`, partition {partition} refuses the letter of the record at {}, and there is \
         no other place for it: {reason}. Set the topic up so that it takes the letter (without \
         `cleanup.policy=compact`, and without limits of timestamps), or name another one with `dlq`; then start the \
         app again",
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

    fn refusal(topic: &str, time: i64, reason: &str) -> RefusedRecord {
        let record = Fingerprint::of(Some(b"k"), Some(b"v"), time);
        let origin = Some("topic `in`, partition 1, offset 7".to_owned());
        RefusedRecord { topic: topic.into(), partition: 0, record, reason: reason.into(), is_told_apart: true, origin }
    }

    fn is_known(learned: &KnownRefusals, topology: &Topology, refusal: &RefusedRecord) -> bool {
        let topic = TopicId(topology.topics.iter().position(|topic| topic.name == refusal.topic).unwrap());
        learned.known().is_some_and(|known| known.reason(topic, refusal.record).is_some())
    }

    #[test]
    fn a_refusal_is_known_from_then_on_with_its_reason_and_place() {
        let (topology, learned) = (topology(), KnownRefusals::default());
        assert!(learned.known().is_none());
        let [first, second] = [7, 8].map(|time| refusal("out", time, "too far ahead"));
        let mut unclear = UnclearRefusals::default();
        let reason = learned.learn(&topology, None, false, &[first.clone(), second.clone()], &mut unclear).unwrap();
        assert_eq!(reason, "topic `out`, partition 0 refuses a record: too far ahead; and 1 more");
        assert!(unclear.is_empty());
        assert!(is_known(&learned, &topology, &first) && is_known(&learned, &topology, &second));
        assert!(!is_known(&learned, &topology, &refusal("out", 9, "")));
        assert!(!is_known(&learned, &topology, &refusal("in", 7, "")));
    }

    #[test]
    fn where_the_broker_does_not_say_which_record_each_is_sent_alone_and_then_it_is_known() {
        let (topology, learned) = (topology(), KnownRefusals::default());
        let all = [RefusedRecord { is_told_apart: false, ..refusal("out", 7, "the batch is invalid") }];
        let mut unclear = UnclearRefusals::default();
        learned.learn(&topology, None, false, &all, &mut unclear).unwrap();
        unclear.committed();
        assert!(!is_known(&learned, &topology, &all[0]) && !unclear.is_empty(), "whatever another task commits");
        learned.learn(&topology, None, true, &all, &mut unclear).unwrap();
        assert!(is_known(&learned, &topology, &all[0]) && !unclear.is_empty(), "until a commit");
        unclear.committed();
        assert!(unclear.is_empty());
    }

    #[test]
    fn a_record_that_is_known_and_refused_again_and_again_stops_the_process() {
        let (topology, learned) = (topology(), KnownRefusals::default());
        let all = [refusal("out", 7, "too far ahead")];
        learned.learn(&topology, None, false, &all, &mut UnclearRefusals::default()).unwrap();
        let known = learned.known().unwrap();
        for _ in 1..REFUSALS_LIMIT {
            learned.learn(&topology, Some(&known), false, &all, &mut UnclearRefusals::default()).unwrap();
        }
        assert!(learned.learn(&topology, Some(&known), false, &all, &mut UnclearRefusals::default()).is_err());
    }

    #[test]
    fn several_records_that_are_known_and_refused_once_more_do_not_stop_the_process() {
        let (topology, learned) = (topology(), KnownRefusals::default());
        let all = [7, 8, 9].map(|time| refusal("out", time, "too far ahead"));
        learned.learn(&topology, None, false, &all, &mut UnclearRefusals::default()).unwrap();
        let known = learned.known().unwrap();
        for refusal in all {
            learned.learn(&topology, Some(&known), false, &[refusal], &mut UnclearRefusals::default()).unwrap();
        }
    }

    #[test]
    fn a_dead_letter_and_an_entry_of_a_changelog_stop_the_process_with_the_place_and_the_reason() {
        let (topology, learned) = (topology(), KnownRefusals::default());
        let said = |topic| {
            learned
                .learn(&topology, None, false, &[refusal(topic, 7, "no key")], &mut UnclearRefusals::default())
                .unwrap_err()
                .to_string()
        };
        assert!(said("pass-dlq").starts_with(
            "the dead-letter topic `pass-dlq`, partition 0 refuses the letter of the record at topic `in`, partition \
             1, offset 7, and there is no other place for it: no key."
        ));
        assert!(said("pass-rows-changelog").starts_with(
            "the changelog topic `pass-rows-changelog`, partition 0 refuses an entry, and state can't be left out: no \
             key."
        ));
    }
}

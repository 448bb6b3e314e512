//! How large records may be, and which other records topics refuse.
//!
//! A topic's limit is among its settings. Where these may not be seen, Kafka's default is assumed; if the true limit is
//! lower, it is learned from refusals. They refuse batches and not records, so the first refusal only has the producers
//! send each record for itself. Then a record that is refused fails at its step with the next attempt, as too large,
//! and so does every one of its size or above. Which records fail is then the brokers' decision alone: a process that
//! starts anew and has to learn it again comes to the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_engine::refused::Refused;
use millrace_engine::topology::{TopicId, Topology};

use crate::cluster::Cluster;
use crate::cluster::refused;
use crate::cluster::unclear::UnclearRefusals;
use crate::error::Error;
use crate::error::refusals::{Refusals, TooLarge};

/// The bytes of a record batch with one record beside its key, value and headers: the broker's limit is on batches.
const BATCH_OVERHEAD_BYTES: usize = 256;

/// Kafka's default of `max.message.bytes`, for topics that we may not ask about.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// The limits of topics.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The most bytes of key, value and headers of a record, by topic of the topology.
    pub(crate) records: Arc<[usize]>,
    /// The most bytes of a batch of records.
    pub(crate) batch: usize,
    /// The most bytes of an entry of a store, key and value together, by store of the topology.
    pub(crate) states: Arc<[usize]>,
    /// Records that were refused, if any were.
    pub(crate) refused: Option<Arc<Refused>>,
    /// Whether each record is sent for itself, so that a refusal names the record.
    pub(crate) alone: bool,
}

impl Default for Limits {
    /// Before anything is known.
    fn default() -> Self {
        Self { records: Arc::new([]), batch: 1, states: Arc::new([]), refused: None, alone: false }
    }
}

impl Limits {
    /// Whether a task that checks its records against these limits makes what one with the `others` would. Where
    /// brokers have said more since, or a topic takes less, it would go on sending what is known to be refused.
    pub(crate) fn agree_with(&self, others: &Self) -> bool {
        self.records == others.records && self.states == others.states && self.refused == others.refused
    }
}

/// Limits that were learned in this process, by all of its workers.
#[derive(Default)]
pub(crate) struct LearnedLimits {
    sizes: Mutex<LearnedSizes>,
    records: refused::KnownRefusals,
}

#[derive(Default)]
struct LearnedSizes {
    /// Refused since the limits were last looked up: the smallest record of each topic, and whether it was a batch for
    /// itself.
    refused: BTreeMap<String, (usize, bool)>,
    /// Whether each record is sent for itself.
    alone: bool,
    /// By topic, where it is less than could be seen.
    limits: BTreeMap<String, usize>,
    /// How often a topic has refused a record of so many bytes, which are more than its limit.
    hopeless: BTreeMap<(String, usize), u32>,
}

impl LearnedSizes {
    /// Learns from a refusal, where the settings that can be seen don't explain it.
    fn learn(&mut self, topic: String, bytes: usize, alone: bool) {
        if !alone {
            self.alone = true;
            return;
        }
        tracing::warn!(
            topic,
            bytes,
            "the broker refuses a record of this size, and the topic's `max.message.bytes` may not be seen: records as \
             large fail from now on; allow the app to describe the settings of the topic"
        );
        self.limits.insert(topic, bytes.saturating_sub(1));
    }
}

/// How often a record may be refused that is larger than its known limit. A record that can't be made smaller comes
/// again with the same size, whatever is committed meanwhile; other records aren't held against it.
const REFUSALS_LIMIT: u32 = 3;

impl LearnedLimits {
    fn state(&self) -> MutexGuard<'_, LearnedSizes> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits as the settings of the topics and of the stores' changelogs are now, as far as they can be seen, and
    /// as they were learned. `alone`: whether each record is to be sent for itself.
    pub(crate) fn limits(
        &self,
        cluster: &Cluster,
        (names, changelogs): (&[&str], &[String]),
        client: usize,
        alone: bool,
    ) -> Result<Limits, Error> {
        let all: BTreeSet<_> = names.iter().copied().chain(changelogs.iter().map(String::as_str)).collect();
        let configs = cluster.configs(&all.into_iter().collect::<Vec<_>>())?;
        let seen = |name: &str| record_bytes(configs.get(name)?);
        let limits = self.apply(names, seen, client);
        let batch = if alone { 1 } else { limits.batch };
        let states = changelogs.iter().map(|name| state_bytes(client.min(seen(name).unwrap_or(client)))).collect();
        let mut refused = self.records.known();
        let compacted = |name: &&str| configs.get(*name).is_some_and(is_compacted);
        for (place, _) in names.iter().enumerate().filter(|(_, name)| compacted(name)) {
            let all = Arc::make_mut(refused.get_or_insert_default());
            all.require_keys(TopicId(place), "it has no key, and the topic is compacted".into());
        }
        Ok(Limits { refused, alone, batch, states, ..limits })
    }

    fn apply(&self, names: &[&str], seen: impl Fn(&str) -> Option<usize>, client: usize) -> Limits {
        let mut state = self.state();
        for (topic, (bytes, alone)) in std::mem::take(&mut state.refused) {
            if seen(&topic).is_none_or(|limit: usize| bytes <= limit.saturating_sub(BATCH_OVERHEAD_BYTES)) {
                state.learn(topic, bytes, alone);
            }
        }
        let limit = |name: &&str| {
            let bytes =
                seen(name).unwrap_or(DEFAULT_MAX_MESSAGE_BYTES).min(client).saturating_sub(BATCH_OVERHEAD_BYTES);
            state.limits.get(*name).map_or(bytes, |learned| bytes.min(*learned))
        };
        let records: Arc<[usize]> = names.iter().map(limit).collect();
        let batch = if state.alone { 1 } else { records.iter().copied().min().unwrap_or(usize::MAX) };
        Limits { records, batch, ..Limits::default() }
    }

    /// Notes records that a producer under these limits was refused, and the partitions for which records are to be
    /// sent alone. Gives the reason for the log.
    ///
    /// # Errors
    /// Nothing can be learned that helps: the record isn't one that fails at a step, or was cut down already.
    pub(crate) fn learn(
        &self,
        topology: &Topology,
        limits: &Limits,
        unclear: &mut UnclearRefusals,
        refused: &Refusals,
    ) -> Result<String, Error> {
        let names: Vec<_> = topology.topics.iter().map(|topic| topic.name.as_str()).collect();
        let sizes = self.learn_sizes(&names, limits, &refused.too_large)?;
        let (known, alone) = (limits.refused.clone(), limits.batch == 1);
        let records = self.records.learn(topology, known.as_deref(), alone, &refused.records, unclear)?;
        let all = [sizes, records];
        Ok(all.iter().filter(|reason| !reason.is_empty()).cloned().collect::<Vec<_>>().join("; "))
    }

    fn learn_sizes(&self, names: &[&str], limits: &Limits, refused: &[TooLarge]) -> Result<String, Error> {
        let mut state = self.state();
        for TooLarge { topic, bytes } in refused {
            let place = names.iter().position(|own| own == topic);
            let Some(known) = place.and_then(|place| limits.records.get(place)) else {
                return Err(hopeless(topic, *bytes));
            };
            if bytes <= known {
                let smallest = state.refused.entry(topic.clone()).or_insert((*bytes, limits.batch == 1));
                smallest.0 = smallest.0.min(*bytes);
                continue;
            }
            let times = state.hopeless.entry((topic.clone(), *bytes)).or_default();
            *times += 1;
            if *times >= REFUSALS_LIMIT {
                return Err(hopeless(topic, *bytes));
            }
        }
        let say = |TooLarge { topic, bytes }: &TooLarge| format!("`{topic}` refuses a record of {bytes} bytes");
        Ok(refused.iter().max_by_key(|refused| refused.bytes).map(say).unwrap_or_default())
    }
}

fn hopeless(topic: &str, bytes: usize) -> Error {
    Error::Task(format!(
        "topic `{topic}` doesn't take a record of {bytes} bytes that can't be left out nor made smaller: raise its \
         `max.message.bytes`"
    ))
}

/// The most bytes of a record that a topic with these settings takes, as far as they can be seen. A batch has to fit
/// into a segment, too.
pub(crate) fn record_bytes(config: &BTreeMap<String, String>) -> Option<usize> {
    let number = |name: &str| config.get(name)?.parse().ok();
    let largest: usize = number("max.message.bytes")?;
    Some(number("segment.bytes").map_or(largest, |segment| largest.min(segment)))
}

/// Whether a topic with these settings keeps the last record of each key, and so takes none without.
fn is_compacted(config: &BTreeMap<String, String>) -> bool {
    config.get("cleanup.policy").is_some_and(|policies| policies.split(',').any(|policy| policy.trim() == "compact"))
}

/// The most bytes of an entry of a store, where its changelog takes records of so many bytes.
fn state_bytes(client: usize) -> usize {
    client.saturating_sub(BATCH_OVERHEAD_BYTES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const TOPICS: [&str; 2] = ["orders", "dead"];
    const CLIENT: usize = 80 << 20;

    fn refuse(learned: &LearnedLimits, limits: &Limits, topic: &str, sizes: &[usize]) -> Result<String, Error> {
        let refused: Vec<_> = sizes.iter().map(|bytes| TooLarge { topic: topic.into(), bytes: *bytes }).collect();
        learned.learn_sizes(&TOPICS, limits, &refused)
    }

    #[test]
    fn a_limit_that_may_not_be_seen_is_learned_from_records_that_were_sent_for_themselves() {
        let learned = LearnedLimits::default();
        let unseen = || learned.apply(&TOPICS, |_| None, CLIENT);
        let first = unseen();
        assert_eq!(
            (first.records[0], first.batch),
            (DEFAULT_MAX_MESSAGE_BYTES - BATCH_OVERHEAD_BYTES, DEFAULT_MAX_MESSAGE_BYTES - BATCH_OVERHEAD_BYTES)
        );
        // The whole batch is refused, with small records in it.
        refuse(&learned, &first, "orders", &[100, 40_000]).unwrap();
        let alone = unseen();
        assert_eq!((&alone.records, alone.batch), (&first.records, 1));
        refuse(&learned, &alone, "orders", &[50_000, 40_000]).unwrap();
        // Another worker's batch, from before: it tells nothing of single records.
        refuse(&learned, &first, "dead", &[100]).unwrap();
        assert_eq!(*unseen().records, [39_999, DEFAULT_MAX_MESSAGE_BYTES - BATCH_OVERHEAD_BYTES]);
    }

    #[test]
    fn a_lowered_limit_that_can_be_seen_is_used_and_not_learned() {
        let learned = LearnedLimits::default();
        let seen = |limit| learned.apply(&TOPICS, move |_| Some(limit), CLIENT);
        let before = seen(100_000);
        refuse(&learned, &before, "orders", &[50_000]).unwrap();
        let after = seen(20_000);
        assert_eq!(
            (&*after.records, after.batch),
            (&[20_000 - BATCH_OVERHEAD_BYTES; 2][..], 20_000 - BATCH_OVERHEAD_BYTES)
        );
    }

    #[test]
    fn a_record_that_can_not_be_made_smaller_stops_the_process_with_topic_and_setting() {
        let learned = LearnedLimits::default();
        let limits = learned.apply(&TOPICS, |_| Some(1_000), CLIENT);
        let error = refuse(&learned, &limits, "shop-sums-changelog", &[5_000]).unwrap_err().to_string();
        assert_eq!(
            error,
            "topic `shop-sums-changelog` doesn't take a record of 5000 bytes that can't be left out nor made smaller: \
             raise its `max.message.bytes`"
        );
        for _ in 1..REFUSALS_LIMIT {
            refuse(&learned, &limits, "dead", &[900]).unwrap();
        }
        assert!(refuse(&learned, &limits, "dead", &[900]).is_err());
    }

    #[test]
    fn records_that_are_refused_one_by_one_over_the_life_of_a_process_do_not_stop_it() {
        let learned = LearnedLimits::default();
        let limits = learned.apply(&TOPICS, |_| Some(1_000), CLIENT);
        for bytes in 900..900 + 2 * REFUSALS_LIMIT as usize {
            refuse(&learned, &limits, "orders", &[bytes]).unwrap();
        }
    }

    #[test]
    fn a_task_stays_open_while_its_limits_are_still_valid() {
        let learned = LearnedLimits::default();
        let seen = |limit| learned.apply(&TOPICS, move |_| Some(limit), CLIENT);
        let before = seen(100_000);
        assert!(
            before.agree_with(&Limits { alone: true, batch: 1, ..seen(100_000) }),
            "how it is sent is the worker's part"
        );
        assert!(!before.agree_with(&seen(50_000)), "a topic takes less");
        assert!(!before.agree_with(&seen(200_000)), "or more");
        assert!(!before.agree_with(&Limits { states: Arc::new([7]), ..before.clone() }));
        let refused = || {
            let mut refused = Refused::default();
            refused.require_keys(TopicId(0), "no key".into());
            Some(Arc::new(refused))
        };
        let known = Limits { refused: refused(), ..before.clone() };
        assert!(!before.agree_with(&known));
        assert!(known.agree_with(&Limits { refused: refused(), ..before }), "nothing more than before");
    }
}

//! Sources check the keys, values and times of records.
//!
//! `on-bad-time` decides about a record whose time is missing, unreadable (`bad-time`) or negative
//! (`negative-timestamp`). A record too far ahead of the clock gets the time of its arrival, or is dead-lettered
//! (`future-timestamp`). The value is checked before the time: as in Kafka Streams, only a value that could be
//! deserialized has a time.

use super::transform;
use crate::calls;
use crate::codec::{self, CodecMismatch};
use crate::event_time::{BadTime, TimestampExtractor};
use crate::logic::Logic;
use crate::manifest::KeyCodec;
use crate::ports::{Failure, FailureClass, Outcome};
use crate::provenance::{self, Origin};
use crate::record::Record;
use crate::step::{Item, Step, TaskError, UnusableAction, UnusableRecord};
use crate::topology::{Call, OnDrop, TopicId, TopicKind, ValueCodec};

/// A source.
pub(super) struct Source<'s> {
    pub(super) topic: TopicId,
    pub(super) codecs: (KeyCodec, ValueCodec),
    pub(super) extractor: TimestampExtractor,
    pub(super) on_bad_time: OnDrop,
    pub(super) validate: Option<&'s Call>,
}

impl Source<'_> {
    pub(super) fn process(self, step: &mut Step<'_>, items: Vec<Item>, logic: &mut dyn Logic) -> Result<(), TaskError> {
        let mut good = Vec::with_capacity(items.len());
        for mut item in items {
            find_origin(step, &mut item, self.topic);
            if let Some(failure) = mismatch(&item.record, self.codecs) {
                step.fail(&item.path, &failure, None)?;
            } else if item.record.timestamp < 0 {
                self.reject(step, &item);
            } else {
                good.push(item);
            }
        }
        if let Some(call) = self.validate {
            good = valid(step, good, call, logic)?;
        }
        super::pass_on(step, good);
        Ok(())
    }

    /// Rejects a record whose time was found invalid when the record was chosen.
    fn reject(&self, step: &mut Step<'_>, item: &Item) {
        let record = step.progress.records.get(item.path.record());
        let bad = record
            .and_then(|record| self.extractor.of(record).err())
            .unwrap_or(BadTime::Negative(item.record.timestamp));
        let action = match bad {
            BadTime::Future { .. } => UnusableAction::DeadLetter,
            _ => UnusableAction::Set("on-bad-time", self.on_bad_time),
        };
        step.reject(&item.path, UnusableRecord { code: bad.code(), text: &bad.to_string(), action });
    }
}

/// Takes a record's origin and table row from its internal headers, if it comes from a repartition topic. From other
/// topics, these headers aren't trusted, and are removed.
fn find_origin(step: &mut Step<'_>, item: &mut Item, topic: TopicId) {
    let ours = step.topology.topics.get(topic.0).is_some_and(|topic| topic.kind == TopicKind::Repartition);
    if ours
        && let Some((origin, headers)) = Origin::detach(&item.record.headers)
        && let Some(place) = step.progress.origins.get_mut(item.path.record())
    {
        *place = Some(origin);
        (item.row, item.record.timestamp) = provenance::row(&item.record.headers, item.record.timestamp);
        item.record.headers = headers;
    } else if let Some(headers) = Origin::strip(&item.record.headers) {
        item.record.headers = headers;
    }
}

/// The failure if a record doesn't match its codecs.
fn mismatch(record: &Record, codecs: (KeyCodec, ValueCodec)) -> Option<Failure> {
    let (code, text) = match codec::mismatch((record.key.as_ref(), record.value.as_ref()), codecs)? {
        CodecMismatch::Key(text) => ("bad-key", text),
        CodecMismatch::Value(text) => ("bad-value", text),
    };
    Some(Failure { class: FailureClass::Permanent, code: code.into(), text })
}

/// The items that the validating function accepts. Its outputs aren't used.
fn valid(step: &mut Step<'_>, items: Vec<Item>, call: &Call, logic: &mut dyn Logic) -> Result<Vec<Item>, TaskError> {
    let mut good = Vec::with_capacity(items.len());
    let mut rest = items;
    while !rest.is_empty() {
        // Call by call, so that only the outputs of one call are in memory.
        let part = calls::piece(&rest, step.options.batch, &|item: &Item| item.record.size());
        let later = rest.split_off(part);
        let items = std::mem::replace(&mut rest, later);
        let outcomes = transform::call(step, &items, call, logic)?;
        for (item, outcome) in items.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Outputs(_) => {
                    step.count_result(call, item.record.key.as_deref());
                    good.push(item);
                }
                bad => {
                    let parent = crate::step::Parent { path: &item.path, record: &item.record };
                    step.apply_outcome(&parent, bad, call)?;
                }
            }
        }
    }
    Ok(good)
}

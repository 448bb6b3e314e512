//! Sources: records are checked against the codecs of their topic.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::transform;
use crate::manifest::KeyCodec;
use crate::ports::{Failure, FailureClass, Logic, Outcome};
use crate::provenance::Origin;
use crate::task::{Item, Step, TaskError};
use crate::topology::{Call, OnDrop, TopicId, TopicKind, ValueCodec};

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    topic: TopicId,
    (key, value): (KeyCodec, ValueCodec),
    validate: Option<&Call>,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let mut good = Vec::with_capacity(items.len());
    for mut item in items {
        find_origin(step, &mut item, topic);
        if item.record.timestamp < 0 {
            step.leave_out(&item.path, "negative-timestamp", "its timestamp is negative", OnDrop::Drop);
        } else if let Some(failure) = misfit(item.record.key.as_ref(), item.record.value.as_ref(), key, value) {
            step.fail(&item.path, &failure, None)?;
        } else {
            good.push(item);
        }
    }
    if let Some(call) = validate {
        good = valid(step, good, call, logic)?;
    }
    super::pass_on(step, good);
    Ok(())
}

/// A record of a repartition topic says itself where it comes from. From any other topic, nobody is believed.
fn find_origin(step: &mut Step<'_>, item: &mut Item, topic: TopicId) {
    let ours = step.topology.topics.get(topic.0).is_some_and(|topic| topic.kind == TopicKind::Repartition);
    if ours
        && let Some((origin, headers)) = Origin::detach(&item.record.headers)
        && let Some(place) = step.progress.origins.get_mut(item.path.record())
    {
        item.record.headers = headers;
        *place = Some(origin);
    } else if let Some(headers) = Origin::strip(&item.record.headers) {
        item.record.headers = headers;
    }
}

/// Why key and value don't fit their codecs, if they don't.
pub(crate) fn misfit(
    key_bytes: Option<&Bytes>,
    value_bytes: Option<&Bytes>,
    key: KeyCodec,
    value: ValueCodec,
) -> Option<Failure> {
    let failure = |code: &str, text: String| Failure { class: FailureClass::Permanent, code: code.into(), text };
    if let Some(bytes) = key_bytes {
        match key {
            KeyCodec::I64 if bytes.len() != 8 => {
                return Some(failure("bad-key", format!("the key has {} bytes, but an i64 key has 8", bytes.len())));
            }
            KeyCodec::String => {
                if let Err(error) = std::str::from_utf8(bytes) {
                    return Some(failure("bad-key", format!("the key isn't UTF-8: {error}")));
                }
            }
            KeyCodec::I64 | KeyCodec::Bytes => {}
        }
    }
    match (value, value_bytes) {
        (ValueCodec::Json, Some(bytes)) => not_json(bytes).map(|text| failure("bad-value", text)),
        _ => None,
    }
}

/// Why bytes aren't JSON.
fn not_json(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("the value is empty, but JSON was expected (a null value is a deletion)".into());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Some(format!("the value isn't UTF-8: {error}")),
    };
    serde_json::from_str::<IgnoredAny>(text).err().map(|error| format!("the value isn't JSON: {error}"))
}

/// The items that a validating function doesn't reject. Its outputs aren't used.
fn valid(step: &mut Step<'_>, items: Vec<Item>, call: &Call, logic: &mut dyn Logic) -> Result<Vec<Item>, TaskError> {
    let outcomes = transform::call(step, &items, call, logic)?;
    let mut good = Vec::with_capacity(items.len());
    for (item, outcome) in items.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Outputs(_) => good.push(item),
            bad => {
                let parent = crate::task::Parent { path: &item.path, record: &item.record };
                step.settle(&parent, bad, call)?;
            }
        }
    }
    Ok(good)
}

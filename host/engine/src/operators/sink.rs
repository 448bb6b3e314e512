//! Sinks: records leave the task. A record fails if it is too large for its topic (`too-large`), or if the topic has
//! refused it before (`refused`).
//!
//! With `key = "windowed"` the window of a record is part of its key. A record without a window keeps its plain key,
//! and a null key stays null. All windows of a key are in the key's partition, as in Kafka Streams.

use bytes::{BufMut, Bytes, BytesMut};

use super::bounds;
use crate::provenance::{self, Origin};
use crate::record::Window;
use crate::row::Row;
use crate::step::{Item, Step, TaskError, UnusableRecord};
use crate::topology::{SinkKey, TopicId};

/// Writes records to a topic, with their windows in headers or in keys.
pub(super) fn process(step: &mut Step<'_>, items: Vec<Item>, topic: TopicId, key: SinkKey) -> Result<(), TaskError> {
    for Item { path, mut record, .. } in items {
        if let Some(headers) = Origin::strip(&record.headers) {
            record.headers = headers;
        }
        let plain = record.key.clone();
        match (key, record.window) {
            (SinkKey::Plain, Some(window)) => record.headers = bounds::with(&record.headers, window),
            (SinkKey::Windowed, Some(window)) => {
                record.key = plain.as_ref().map(|key| windowed(key, window));
                bounds::strip(&mut record.headers);
            }
            (_, None) => {}
        }
        step.send(path, topic, record, plain.as_deref())?;
    }
    Ok(())
}

/// A key with its window: the key's bytes, then start and end, 8 bytes big-endian each. (Kafka Streams writes key and
/// start for time windows, so that readers must know their length, and key, end and start for sessions.)
fn windowed(key: &[u8], window: Window) -> Bytes {
    let mut bytes = BytesMut::with_capacity(key.len() + 16);
    bytes.put_slice(key);
    bytes.put_i64(window.start);
    bytes.put_i64(window.end);
    bytes.freeze()
}

/// Writes records to a repartition topic, with their origins in an internal header.
pub(super) fn repartition(step: &mut Step<'_>, items: Vec<Item>, topic: TopicId) -> Result<(), TaskError> {
    for Item { path, mut record, row, .. } in items {
        if record.key.is_none() {
            if let Row::Old { .. } = row {
                // It was rejected, and counted, when it was new.
                continue;
            }
            step.reject(&path, UnusableRecord::null_key(step.node, "a new key is needed here, and it is null"));
            continue;
        }
        if let Some(origin) = step.origin_of(&path) {
            record.headers = origin.attach(&record.headers);
        }
        if let Some(headers) = provenance::attach_row(&record.headers, row, record.timestamp) {
            record.headers = headers;
        }
        if let Row::Old { until } = row {
            record.timestamp = until;
        }
        let key = record.key.clone();
        step.send(path, topic, record, key.as_deref())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_windowed_key_is_the_key_then_start_and_end() {
        let key = windowed(b"k", Window { start: 1, end: -2 });
        assert_eq!(key.as_ref(), b"k\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xfe");
        assert_eq!(windowed(b"", Window { start: 0, end: 0 }).as_ref(), [0; 16]);
    }
}

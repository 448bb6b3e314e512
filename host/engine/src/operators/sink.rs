//! Sinks: records leave the task. One that is larger than its topic takes fails (`too-large`).

use bytes::{BufMut, Bytes, BytesMut};

use crate::provenance::Origin;
use crate::record::{Header, Headers, Window};
use crate::task::{Item, Step, TaskError};
use crate::topology::TopicId;

/// Writes to a topic, with a plain key; the window goes into headers.
pub(super) fn process(step: &mut Step<'_>, items: Vec<Item>, topic: TopicId) -> Result<(), TaskError> {
    for Item { path, mut record, .. } in items {
        if let Some(headers) = Origin::strip(&record.headers) {
            record.headers = headers;
        }
        if let Some(window) = record.window {
            record.headers = with_window(&record.headers, window);
        }
        step.put_out(path, topic, record)?;
    }
    Ok(())
}

/// Writes to a repartition topic, with the true origin in a header of our own.
pub(super) fn repartition(step: &mut Step<'_>, items: Vec<Item>, topic: TopicId) -> Result<(), TaskError> {
    for Item { path, mut record, .. } in items {
        if record.key.is_none() {
            step.leave_out(&path, "null-key", "a new key is needed here, and it is null", step.node.on_null_key);
            continue;
        }
        if let Some(origin) = step.origin_of(&path) {
            record.headers = origin.attach(&record.headers);
        }
        step.put_out(path, topic, record)?;
    }
    Ok(())
}

fn with_window(headers: &Headers, window: Window) -> Headers {
    let mut all = headers.as_slice().to_vec();
    for (name, time) in [("millrace-window-start", window.start), ("millrace-window-end", window.end)] {
        let mut bytes = BytesMut::with_capacity(8);
        bytes.put_i64(time);
        all.push(Header::new(Bytes::from_static(name.as_bytes()), bytes.freeze()));
    }
    all.into()
}

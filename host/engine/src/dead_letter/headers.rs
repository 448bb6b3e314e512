//! Headers of dead letters.

use bytes::Bytes;

use crate::ports::{Failure, FailureClass};
use crate::provenance::Origin;
use crate::record::{Header, Headers, Timestamp};

/// A failed record, for the headers of its dead letter.
#[derive(Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) app: &'a str,
    pub(crate) step: &'a str,
    /// Name and component digest of the plugin, if one was called.
    pub(crate) plugin: Option<(&'a str, &'a str)>,
    pub(crate) failure: &'a Failure,
    pub(crate) origin: &'a Origin,
    /// The driver's clock when the record arrived.
    pub(crate) at: Timestamp,
    /// The time of the record that the letter shows. It differs from the origin's if a step has made the record.
    pub(crate) timestamp: Timestamp,
}

/// The headers of a dead letter: those of the original record, then those about the failure.
pub(super) fn headers(original: &Headers, failed: &Failed<'_>, omitted: &[Header]) -> Headers {
    let mut all = original.as_slice().to_vec();
    let exception = format!("millrace.{}", failed.failure.code);
    streams(&mut all, failed, &exception);
    spring(&mut all, failed, &exception);
    ours(&mut all, failed);
    all.extend_from_slice(omitted);
    all.into()
}

pub(super) fn text(all: &mut Vec<Header>, name: &'static str, value: impl Into<String>) {
    all.push(Header::new(Bytes::from_static(name.as_bytes()), value.into()));
}

fn bytes(all: &mut Vec<Header>, name: &'static str, value: impl AsRef<[u8]>) {
    all.push(Header::new(Bytes::from_static(name.as_bytes()), Bytes::copy_from_slice(value.as_ref())));
}

fn streams(all: &mut Vec<Header>, failed: &Failed<'_>, exception: &str) {
    text(all, "__streams.errors.exception", exception);
    text(all, "__streams.errors.message", failed.failure.text.as_str());
    text(all, "__streams.errors.stacktrace", place(failed));
    bytes(all, "__streams.errors.topic", &failed.origin.topic);
    text(all, "__streams.errors.partition", failed.origin.partition.to_string());
    text(all, "__streams.errors.offset", failed.origin.offset.to_string());
}

fn spring(all: &mut Vec<Header>, failed: &Failed<'_>, exception: &str) {
    let origin = failed.origin;
    bytes(all, "kafka_dlt-original-topic", &origin.topic);
    bytes(all, "kafka_dlt-original-partition", origin.partition.to_be_bytes());
    bytes(all, "kafka_dlt-original-offset", origin.offset.to_be_bytes());
    bytes(all, "kafka_dlt-original-timestamp", origin.timestamp.to_be_bytes());
    text(all, "kafka_dlt-original-timestamp-type", origin.timestamp_type.name());
    text(all, "kafka_dlt-original-consumer-group", failed.app);
    text(all, "kafka_dlt-exception-fqcn", exception);
    text(all, "kafka_dlt-exception-message", failed.failure.text.as_str());
    text(all, "kafka_dlt-exception-stacktrace", place(failed));
}

fn ours(all: &mut Vec<Header>, failed: &Failed<'_>) {
    text(all, "millrace-step", failed.step);
    if let Some((name, digest)) = failed.plugin {
        text(all, "millrace-plugin", name);
        text(all, "millrace-plugin-digest", digest);
    }
    let class = match failed.failure.class {
        FailureClass::Permanent => "permanent",
        FailureClass::Transient => "transient",
    };
    text(all, "millrace-error-class", class);
    text(all, "millrace-error-code", failed.failure.code.as_str());
    text(all, "millrace-error-message", failed.failure.text.as_str());
    text(all, "millrace-attempts", "1");
    text(all, "millrace-timestamp", failed.timestamp.to_string());
    text(all, "millrace-failed-at", failed.at.to_string());
}

/// In place of a stack trace: step, app and plugin.
fn place(failed: &Failed<'_>) -> String {
    match failed.plugin {
        Some((name, digest)) => format!("at step {} of {}, plugin {name} ({digest})", failed.step, failed.app),
        None => format!("at step {} of {}", failed.step, failed.app),
    }
}

/// The headers of a record without those of another dead letter. If a dead letter is processed again and fails again,
/// its headers are about this failure only: many readers take the first header of a name.
pub(super) fn original_headers(headers: &Headers) -> Headers {
    let own = Origin::strip(headers).unwrap_or_else(|| headers.clone());
    if !own.as_slice().iter().any(is_dead_letter_header) {
        return own;
    }
    let others = own.as_slice().iter().filter(|header| !is_dead_letter_header(header));
    others.cloned().collect::<Vec<_>>().into()
}

/// Whether dead letters have a header of this name.
pub fn is_dead_letter_header(header: &Header) -> bool {
    let Ok(name) = std::str::from_utf8(&header.name) else { return false };
    name.starts_with("__streams.errors.")
        || name.starts_with("kafka_dlt-")
        || name.strip_prefix("millrace-").is_some_and(|name| OURS.contains(&name))
}

/// Names of our headers, behind `millrace-`.
const OURS: [&str; 12] = [
    "step",
    "plugin",
    "plugin-digest",
    "error-class",
    "error-message",
    "error-code",
    "attempts",
    "timestamp",
    "failed-at",
    "value-omitted",
    "headers-omitted",
    "key-omitted",
];

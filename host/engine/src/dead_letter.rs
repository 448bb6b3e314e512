//! Dead letters: the original record, with headers that say what happened to it.
//!
//! Three sets of headers, so that existing tools read them: those of Kafka Streams (`__streams.errors.*`, values as text,
//! KIP-1034), those of Spring (`kafka_dlt-*`, numbers as big-endian bytes, `DeadLetterPublishingRecoverer`), and ours
//! (`millrace-*`, text) for what neither has.

use bytes::Bytes;

use crate::ports::{Failure, FailureClass};
use crate::provenance::Origin;
use crate::record::{Header, Headers, Timestamp};

/// Who failed on it, for the headers.
pub(crate) struct Failed<'a> {
    pub(crate) app: &'a str,
    pub(crate) step: &'a str,
    /// Name and component digest of the plugin, where one was called.
    pub(crate) plugin: Option<(&'a str, &'a str)>,
    pub(crate) failure: &'a Failure,
    pub(crate) origin: &'a Origin,
    /// The driver's clock when the record arrived.
    pub(crate) at: Timestamp,
}

/// The headers of a dead letter: those of the original record, then ours.
pub(crate) fn headers(original: &Headers, failed: &Failed<'_>) -> Headers {
    let mut all = original.as_slice().to_vec();
    let exception = format!("millrace.{}", failed.failure.code);
    streams(&mut all, failed, &exception);
    spring(&mut all, failed, &exception);
    ours(&mut all, failed);
    all.into()
}

fn text(all: &mut Vec<Header>, name: &'static str, value: impl Into<String>) {
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
    text(all, "millrace-attempts", "1");
    text(all, "millrace-failed-at", failed.at.to_string());
}

/// What stands for a stack trace: which step of which app, and whose code.
fn place(failed: &Failed<'_>) -> String {
    match failed.plugin {
        Some((name, digest)) => format!("at step {} of {}, plugin {name} ({digest})", failed.step, failed.app),
        None => format!("at step {} of {}", failed.step, failed.app),
    }
}

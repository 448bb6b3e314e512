//! The notes of instances in the control topic: how far each is with the app's deployments. They are no part of any
//! transaction: an instance writes only its own, and nothing is decided by an old one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_engine::deployment::TrialCounts;
use millrace_engine::shadow::ShadowReport;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use serde::{Deserialize, Serialize};

use super::rewrites::InstanceRewrites;
use crate::client::context::LogContext;
use crate::client::settings::{ClientSettings, wrong_settings};
use crate::cluster::internal_topics;
use crate::error::Error;

const PREFIX: &str = "instance/";

/// Beginning of the keys of reports of shadows.
const REPORT: &str = "shadow/";

/// Most bytes of a report: any broker takes them.
const REPORT_BYTES: usize = 256 << 10;

/// How long a note may take to arrive.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of the process waits for it.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// How far an instance is with the app's deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceNote {
    /// Name of its host.
    pub host: String,
    /// The newest generation of each plugin that it has loaded.
    pub loaded: BTreeMap<String, u32>,
    /// The generation of each plugin that all its workers run.
    pub running: BTreeMap<String, u32>,
    /// Why it can't run generations that are newer: these, by plugin, and the reason.
    pub refused: Option<Refused>,
    /// The results of the canaries that it runs, by plugin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, TrialCounts>,
    /// How far its tasks are with rewriting entries of older state versions, by plugin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rewrites: BTreeMap<String, InstanceRewrites>,
}

/// Deployments that an instance can't run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The generations, by plugin.
    pub generations: BTreeMap<String, u32>,
    /// The reason.
    pub reason: String,
}

/// Whether an entry of the control topic is the report of an instance's shadows.
pub(super) fn is_report(key: &str) -> bool {
    key.starts_with(REPORT)
}

/// The instance that an entry of the control topic is the note of.
pub(super) fn instance_of(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

/// The instance that a member of the group belongs to, by its `client.id`.
pub(crate) fn instance_of_client<'m>(app: &str, client: &'m str) -> Option<&'m str> {
    let rest = client.strip_prefix(app)?.strip_prefix('-')?;
    Some(rest.split_once("-member-")?.0)
}

/// Writes the note of an instance.
pub(super) struct NoteWriter {
    producer: BaseProducer<NoteContext>,
    topic: String,
    instance: String,
    written: Option<InstanceNote>,
    reported: Option<ShadowReport>,
}

/// Notices notes that didn't arrive.
#[derive(Default)]
struct NoteContext {
    lost: AtomicBool,
}

impl ClientContext for NoteContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        LogContext.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        LogContext.error(error, reason);
    }
}

impl ProducerContext for NoteContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            tracing::debug!(%error, "the note of this instance isn't written: it is written again");
            self.lost.store(true, Ordering::Relaxed);
        }
    }
}

impl NoteWriter {
    pub(super) fn new(settings: &ClientSettings, app: &str, instance: &str) -> Result<Self, Error> {
        let mut config = settings.admin();
        config.remove("isolation.level");
        // Notes stay in their order.
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string());
        let producer = config.create_with_context(NoteContext::default()).map_err(wrong_settings)?;
        let (topic, instance) = (internal_topics::control(app), instance.to_owned());
        Ok(Self { producer, topic, instance, written: None, reported: None })
    }

    /// Writes the note, if it has changed or the last one was lost.
    pub(super) fn write(&mut self, note: &InstanceNote) {
        self.producer.poll(Duration::ZERO);
        if self.producer.context().lost.swap(false, Ordering::Relaxed) {
            self.written = None;
        }
        if self.written.as_ref() != Some(note) && self.send(Some(note)) {
            self.written = Some(note.clone());
        }
    }

    /// Deletes the note: the instance stops.
    pub(super) fn delete(&mut self) {
        if self.written.is_some() && self.send(None) {
            // If it can't be deleted, it is the note of no member of the group, and counts for nothing.
            drop(self.producer.flush(FLUSH_TIMEOUT));
        }
    }

    /// Writes the report of the instance's shadows, if it has changed. It stays when the instance stops.
    pub(super) fn report(&mut self, mut report: ShadowReport) {
        if self.reported.as_ref() == Some(&report) {
            return;
        }
        let known = report.clone();
        let bytes = loop {
            let bytes = serde_json::to_vec(&(report.generation, &report)).unwrap_or_default();
            if bytes.len() <= REPORT_BYTES || !report.shorten() {
                break bytes;
            }
        };
        if self.send_as(REPORT, Some(&bytes)) {
            self.reported = Some(known);
        }
    }

    /// Whether it was taken for sending.
    fn send(&self, note: Option<&InstanceNote>) -> bool {
        let value = note.map(|note| serde_json::to_vec(note).unwrap_or_default());
        self.send_as(PREFIX, value.as_deref())
    }

    fn send_as(&self, prefix: &str, value: Option<&[u8]>) -> bool {
        let key = format!("{prefix}{}", self.instance);
        let mut record = BaseRecord::<str, [u8]>::to(&self.topic).partition(0).key(&key);
        record.payload = value;
        self.producer.send(record).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_member_has_its_instance() {
        assert_eq!(instance_of_client("a-b", "a-b-1f2e-member-0a"), Some("1f2e"));
        assert_eq!(instance_of_client("a", "other-1f2e-member-0a"), None);
        assert_eq!(instance_of_client("a", "a-1f2e-worker-0"), None);
    }
}

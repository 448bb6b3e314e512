//! Delivery reports: the offsets of delivered records, and the reasons why others failed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_engine::record::Timestamp;
use millrace_engine::refused::Fingerprint;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;

use super::bytes_of;
use super::refusals::tell_apart;
use crate::client::context;
use crate::client::native::{self, Returned};
use crate::error::codes::{self, Class, class};
use crate::error::refusals::{Refusals, RefusedRecord, TooLarge};
use crate::error::{Reaction, code};

/// The delivery reports of the open transaction.
#[derive(Default)]
pub(crate) struct Deliveries {
    reports: Mutex<Reports>,
    /// A connection broke: a request may have been sent twice.
    pub(super) disturbed: AtomicBool,
    /// Bytes of all records whose fate is known.
    pub(super) served: AtomicUsize,
}

#[derive(Default)]
struct Reports {
    failures: Option<Failures>,
    /// By slot: the offset after the last record delivered, where it is known.
    ends: Vec<Option<i64>>,
}

/// Why records weren't delivered.
#[derive(Default)]
pub(super) struct Failures {
    /// The first reason that isn't another record's.
    reason: Option<String>,
    /// The first reason that no other attempt can mend.
    for_good: Option<String>,
    too_large: Vec<TooLarge>,
    /// Each with the place of the broker's words: see [`tell_apart`].
    refused: Vec<(usize, RefusedRecord)>,
    /// Partitions in which some records have the code of those that are sent with others.
    coded: BTreeSet<(String, i32)>,
}

impl Deliveries {
    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for the ends of so many slots.
    pub(super) fn set_slots(&self, slots: usize) {
        let mut reports = self.reports();
        reports.ends.clear();
        reports.ends.resize(slots, None);
    }

    /// By slot, the offset after its last record.
    pub(super) fn take_ends(&self) -> Vec<Option<i64>> {
        self.reports().ends.iter_mut().map(Option::take).collect()
    }

    /// Whether a record couldn't be delivered, and whether that was its own fault.
    pub(super) fn failed(&self) -> (bool, bool) {
        let reports = self.reports();
        (reports.failures.is_some(), reports.failures.as_ref().is_some_and(Failures::is_refusal))
    }

    pub(super) fn take_failures(&self) -> Option<Failures> {
        self.reports().failures.take()
    }

    /// Nothing of the transaction counts any more.
    pub(super) fn forget(&self) {
        let mut reports = self.reports();
        reports.failures = None;
        reports.ends.iter_mut().for_each(|end| *end = None);
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // A broken connection is a line of the log and no error, unless no request was about to use it.
        if facility == "FAIL" {
            self.disturbed.store(true, Ordering::Relaxed);
        }
        if let Some(reason) = not_added(facility, message) {
            self.reports().failures.get_or_insert_default().reason.get_or_insert(reason);
        }
        context::log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.disturbed.store(true, Ordering::Relaxed);
        context::log_error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    /// A [`Tag`].
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        let (Ok(message) | Err((_, message))) = result;
        self.served.fetch_add(bytes_of(message.key(), message.payload()), Ordering::Relaxed);
        match (result, Tag::from_opaque(tag)) {
            (Ok(_), Tag::Time(_)) => {}
            // Without an offset, the record was a duplicate of one that had arrived: its place stays unknown.
            (Ok(message), _) if message.offset() < 0 => {}
            (Ok(message), Tag::Slot(slot)) => {
                if let Some(end) = self.reports().ends.get_mut(slot) {
                    *end = Some(message.offset() + 1);
                }
            }
            (Err((error, message)), tag) => self.reports().failures.get_or_insert_default().add(error, message, tag),
        }
    }
}

/// A tag that is sent along with a record, and comes back with its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// The slot that wants to know its offset.
    Slot(usize),
    /// Its time, which librdkafka doesn't give back when the record is refused.
    Time(Timestamp),
}

/// Marks a tag that is a time. No slot is that large, and no time below 0 is sent.
const IS_TIME: usize = 1 << (usize::BITS - 1);

/// A time fits beside it.
const _: () = assert!(usize::BITS == i64::BITS);

impl Tag {
    pub(super) fn of(slot: Option<usize>, time: Timestamp) -> Self {
        slot.map_or(Self::Time(time), Self::Slot)
    }

    pub(super) fn opaque(self) -> usize {
        match self {
            Self::Slot(slot) => slot,
            Self::Time(time) => IS_TIME | time.max(0) as usize,
        }
    }

    fn from_opaque(opaque: usize) -> Self {
        match opaque & IS_TIME {
            0 => Self::Slot(opaque),
            _ => Self::Time((opaque & !IS_TIME) as Timestamp),
        }
    }

    fn time(self) -> Option<Timestamp> {
        match self {
            Self::Slot(_) => None,
            Self::Time(time) => Some(time),
        }
    }
}

impl Failures {
    fn add(&mut self, error: &KafkaError, message: &BorrowedMessage<'_>, tag: Tag) {
        let (topic, partition) = (message.topic(), message.partition());
        let place = || format!("{topic} [{partition}]: {}", codes::describe(error));
        match code(error).map_or(Class::Passing, class) {
            Class::Size => {
                // Counted as the engine does (`Record::whole_size`).
                let bytes = bytes_of(message.key(), message.payload()) + native::headers(message).sent_size();
                self.too_large.push(TooLarge { topic: topic.into(), bytes });
            }
            Class::Record => self.refused.push(refusal(message, code(error), tag.time())),
            Class::Neighbour => {
                let told = code(error) == Some(RDKafkaErrorCode::InvalidDifferentRecord);
                if told {
                    self.coded.insert((topic.into(), partition));
                }
            }
            Class::App => drop(self.for_good.get_or_insert_with(place)),
            _ => drop(self.reason.get_or_insert_with(place)),
        }
    }

    fn is_refusal(&self) -> bool {
        !self.too_large.is_empty() || !self.refused.is_empty()
    }

    /// The reaction to the failures. A refusal comes first: the other records failed with it or after it.
    pub(super) fn reaction(self) -> Reaction {
        if self.is_refusal() {
            let records = tell_apart(self.refused, &self.coded);
            return Reaction::Refused(Refusals { too_large: self.too_large, records });
        }
        if let Some(reason) = self.for_good {
            return codes::stop(&reason);
        }
        match self.reason {
            Some(reason) => Reaction::Unwritten(reason),
            None => Reaction::Abort("records were sent together with one that was refused".into()),
        }
    }
}

/// Why a partition can't be part of the transaction: librdkafka has it in its log only, and the records that wait for
/// the partition only come back as purged (`rd_kafka_txn_handle_AddPartitionsToTxn` in its rdkafka_txnmgr.c, 2.12.1).
fn not_added(facility: &str, message: &str) -> Option<String> {
    let (_, line) = message.split_once("Failed to add partition \"").filter(|_| facility == "ADDPARTS")?;
    let (topic, line) = line.split_once("\" [")?;
    let (partition, text) = line.split_once("] to transaction: ")?;
    let is = |code: RDKafkaErrorCode| code.to_string().ends_with(&format!("({})", text.trim_end()));
    // The fault is another partition's.
    if is(RDKafkaErrorCode::OperationNotAttempted) {
        return None;
    }
    let denied = RDKafkaErrorCode::TopicAuthorizationFailed;
    let remedy = if is(denied) { codes::remedy(denied) } else { "" };
    Some(format!("{topic} [{partition}]: {text}{remedy}"))
}

/// A record that the broker doesn't take.
fn refusal(
    message: &BorrowedMessage<'_>,
    code: Option<RDKafkaErrorCode>,
    time: Option<Timestamp>,
) -> (usize, RefusedRecord) {
    let returned = Returned::new(message);
    let headers = native::headers(message);
    let header = |name: &str| {
        let found = headers.as_slice().iter().rev().find(|header| header.name == name.as_bytes())?;
        Some(String::from_utf8_lossy(found.value.as_deref()?).into_owned())
    };
    let origin = || {
        let [topic, partition, offset] =
            ["topic", "partition", "offset"].map(|part| header(&format!("__streams.errors.{part}")));
        Some(format!("topic `{}`, partition {}, offset {}", topic?, partition?, offset?))
    };
    let refusal = RefusedRecord {
        topic: message.topic().into(),
        partition: message.partition(),
        record: Fingerprint::of(message.key(), message.payload(), time.unwrap_or_default()),
        reason: reason(&returned, code, message.key().is_none(), time).into(),
        is_told_apart: false,
        origin: origin(),
    };
    (returned.place_of_words(), refusal)
}

/// Why a record isn't taken. Where several of a batch aren't, librdkafka gives them all the code of an invalid record.
fn reason(
    returned: &Returned<'_>,
    code: Option<RDKafkaErrorCode>,
    is_keyless: bool,
    time: Option<Timestamp>,
) -> String {
    let time = time.map(|time| format!(" ({time})")).unwrap_or_default();
    let far = format!(
        "its timestamp{time} is too far from the broker's clock (`message.timestamp.after.max.ms`, \
         `message.timestamp.before.max.ms`)"
    );
    let why = match (code, is_keyless) {
        (Some(RDKafkaErrorCode::InvalidTimestamp), _) => far,
        (_, true) => format!("it has no key, and a compacted topic takes no record without one; or {far}"),
        (_, false) => format!("{far}, or the broker has rules of its own"),
    };
    format!("{}: {why}", returned.reason())
}

#[cfg(test)]
mod tests {
    use super::{Tag, not_added};

    #[test]
    fn the_reason_why_a_partition_is_not_added_names_it_and_the_way_out() {
        let line = |text| format!("[thrd:b/1]: b/1: Failed to add partition \"orders-[x]\" [3] to transaction: {text}");
        assert_eq!(
            not_added("ADDPARTS", &line("Broker: Topic authorization failed")).as_deref(),
            Some("orders-[x] [3]: Broker: Topic authorization failed; allow the app to use the topic, and it goes on")
        );
        assert_eq!(not_added("ADDPARTS", &line("Broker: Operation not attempted")), None);
        assert_eq!(not_added("ADDPARTS", &line("Local: Odd")).as_deref(), Some("orders-[x] [3]: Local: Odd"));
        assert_eq!(not_added("TXNERR", "Current transaction failed in state Init"), None);
    }

    #[test]
    fn the_tag_of_a_record_comes_back() {
        for tag in [Tag::Slot(0), Tag::Slot(7), Tag::Time(1), Tag::Time(1_700_000_000_000), Tag::Time(i64::MAX)] {
            assert_eq!(Tag::from_opaque(tag.opaque()), tag);
        }
    }
}

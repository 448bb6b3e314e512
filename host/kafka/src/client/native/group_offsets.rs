//! The committed offsets of a group, with an answer for each partition.
//!
//! A consumer that asks for them waits until all are stable: an offset in an open transaction holds up the answer about
//! all others. Here the broker's answer comes at once.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::admin::{Request, request};
use super::fetch::c_name;
use crate::client::context::LogContext;

/// The committed offset of a group in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommittedOffset {
    /// An offset, with its metadata.
    At(i64, String),
    /// No offset.
    Nothing,
    /// A transaction that would commit an offset is still open.
    Undecided,
    /// The broker refuses, with this code.
    Refused(RDKafkaErrorCode),
}

/// The committed offsets of a group in these partitions, by topic and partition. `places` isn't empty, and has none
/// twice. The client has a group: without one, librdkafka ends the process where the coordinator has moved.
pub(crate) fn group_offsets(
    client: &BaseConsumer<LogContext>,
    group: &str,
    places: &TopicPartitionList,
    timeout: Duration,
) -> Result<BTreeMap<(String, i32), CommittedOffset>, KafkaError> {
    let group = c_name(group);
    // SAFETY: the list lives for all of this, and the question, which copies it, is destroyed once; the request is of
    // its kind, and what is in the answer is copied while the event that owns it lives.
    unsafe {
        let mut question = c::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), places.ptr());
        let kind = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        let send = |to: &Request| {
            // The error of an option that the kind of request has is null.
            drop_error(c::rd_kafka_AdminOptions_set_require_stable_offsets(to.options, 1));
            c::rd_kafka_ListConsumerGroupOffsets(to.client, &mut question, 1, to.options, to.queue);
        };
        let answer =
            request(client.client().native_ptr(), kind, timeout, KafkaError::OffsetFetch, send, |event| read(event));
        c::rd_kafka_ListConsumerGroupOffsets_destroy(question);
        answer
    }
}

/// # Safety
/// The error is null, or belongs to the caller.
unsafe fn drop_error(error: *mut c::rd_kafka_error_t) {
    if !error.is_null() {
        // SAFETY: as the caller says.
        unsafe { c::rd_kafka_error_destroy(error) }
    }
}

/// # Safety
/// The event is the answer to a `ListConsumerGroupOffsets`.
unsafe fn read(event: *mut c::rd_kafka_event_t) -> Result<BTreeMap<(String, i32), CommittedOffset>, KafkaError> {
    let mut found = BTreeMap::new();
    // SAFETY: as the caller says; the answer and its parts live as long as the event.
    unsafe {
        let result = c::rd_kafka_event_ListConsumerGroupOffsets_result(event);
        if result.is_null() {
            return Ok(found);
        }
        let mut count = 0;
        let groups = c::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
        for index in 0..count {
            let group = *groups.add(index);
            let error = c::rd_kafka_group_result_error(group);
            if !error.is_null() {
                return Err(KafkaError::OffsetFetch(c::rd_kafka_error_code(error).into()));
            }
            let places = c::rd_kafka_group_result_partitions(group);
            if places.is_null() {
                continue;
            }
            let elements = (*places).elems;
            for index in 0..usize::try_from((*places).cnt).unwrap_or(0) {
                let place = &*elements.add(index);
                let topic = CStr::from_ptr(place.topic).to_string_lossy().into_owned();
                found.insert((topic, place.partition), committed(place));
            }
        }
    }
    Ok(found)
}

/// # Safety
/// The place is an element of a list that lives.
unsafe fn committed(place: &c::rd_kafka_topic_partition_t) -> CommittedOffset {
    match RDKafkaErrorCode::from(place.err) {
        RDKafkaErrorCode::NoError if place.offset < 0 => CommittedOffset::Nothing,
        RDKafkaErrorCode::NoError => {
            let text = match place.metadata.is_null() {
                true => &[][..],
                // SAFETY: metadata and its size belong together.
                false => unsafe { std::slice::from_raw_parts(place.metadata.cast::<u8>(), place.metadata_size) },
            };
            CommittedOffset::At(place.offset, String::from_utf8_lossy(text).into_owned())
        }
        RDKafkaErrorCode::UnstableOffsetCommit => CommittedOffset::Undecided,
        code => CommittedOffset::Refused(code),
    }
}

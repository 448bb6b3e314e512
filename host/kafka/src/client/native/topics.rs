//! Describing topics: their ids, and which of their partitions have a leader.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::bindings as c;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::admin::{Request, request};
use super::fetch::c_name;
use crate::client::context::LogContext;

/// The id of every topic of a cluster that is older than topic ids (Kafka 2.8): all bits are zero.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Whether these are the ids of two topics. A topic gets its id when its cluster is upgraded to 2.8, and brokers that
/// are yet to be upgraded tell none of it, so where one isn't known, nothing speaks against the topic being the same.
pub(crate) fn differ(one: &str, other: &str) -> bool {
    one != other && is_known(one) && is_known(other)
}

/// Whether this is an id, and not a placeholder for none.
pub(crate) fn is_known(id: &str) -> bool {
    !id.is_empty() && id != NO_ID
}

/// A topic as the cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    /// Its id: a topic that was deleted and made anew has another one.
    pub(crate) id: String,
    /// How many partitions it has.
    pub(crate) partitions: u32,
    /// The brokers that lead them, by partition. A partition without a leader can neither be read nor written to.
    pub(crate) leaders: BTreeMap<u32, i32>,
}

/// Topics by name; with the broker's code where it doesn't tell of one that may exist.
pub(crate) type Topics = BTreeMap<String, Result<Topic, RDKafkaErrorCode>>;

/// Those of these topics that exist, as far as the broker that is asked knows.
pub(crate) fn topics(admin: &AdminClient<LogContext>, names: &[&str], timeout: Duration) -> Result<Topics, KafkaError> {
    let owned: Vec<_> = names.iter().map(|name| c_name(name)).collect();
    let mut pointers: Vec<_> = owned.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names live for all of this, and the collection, which copies them, is destroyed once; the request is
    // of its kind, and names and ids are copied while the event that owns them lives.
    unsafe {
        let topics = c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let kind = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let send = |to: &Request| c::rd_kafka_DescribeTopics(to.client, topics, to.options, to.queue);
        let answer =
            request(admin.inner().native_ptr(), kind, timeout, KafkaError::MetadataFetch, send, |event| read(event));
        c::rd_kafka_TopicCollection_destroy(topics);
        answer
    }
}

/// # Safety
/// The event is the answer to a `DescribeTopics`.
unsafe fn read(event: *mut c::rd_kafka_event_t) -> Result<Topics, KafkaError> {
    let mut found = BTreeMap::new();
    // SAFETY: as the caller says; the answer and its parts live as long as the event.
    unsafe {
        let mut count = 0;
        let result = c::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Ok(found);
        }
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        for index in 0..count {
            let topic = *topics.add(index);
            let error = c::rd_kafka_TopicDescription_error(topic);
            let name = CStr::from_ptr(c::rd_kafka_TopicDescription_name(topic)).to_string_lossy().into_owned();
            match RDKafkaErrorCode::from(c::rd_kafka_error_code(error)) {
                RDKafkaErrorCode::NoError => {}
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => continue,
                code => {
                    found.insert(name, Err(code));
                    continue;
                }
            }
            let id = CStr::from_ptr(c::rd_kafka_Uuid_base64str(c::rd_kafka_TopicDescription_topic_id(topic)));
            let (partitions, leaders) = partitions(topic);
            found.insert(name, Ok(Topic { id: id.to_string_lossy().into_owned(), partitions, leaders }));
        }
    }
    Ok(found)
}

/// The number of partitions, and their leaders.
///
/// # Safety
/// The description belongs to an event that lives.
unsafe fn partitions(topic: *const c::rd_kafka_TopicDescription_t) -> (u32, BTreeMap<u32, i32>) {
    let mut leaders = BTreeMap::new();
    let mut count = 0;
    // SAFETY: as the caller says; partitions and their leaders live as long as their topic, and one without a leader
    // has none.
    unsafe {
        let partitions = c::rd_kafka_TopicDescription_partitions(topic, &mut count);
        for index in 0..count {
            let partition = *partitions.add(index);
            let leader = c::rd_kafka_TopicPartitionInfo_leader(partition);
            if !leader.is_null() {
                let number = c::rd_kafka_TopicPartitionInfo_partition(partition).cast_unsigned();
                leaders.insert(number, c::rd_kafka_Node_id(leader));
            }
        }
    }
    (u32::try_from(count).unwrap_or(u32::MAX), leaders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_not_known_differs_from_none() {
        assert!(differ("dQw4w9WgXcQ/+b_c", "AAAA4w9WgXcQ/+b_c"));
        for (one, other) in [("a", "a"), (NO_ID, "a"), ("", "a"), (NO_ID, ""), (NO_ID, NO_ID)] {
            assert!(!differ(one, other) && !differ(other, one), "{one} {other}");
        }
    }
}

//! Making topics, with the broker's text where it refuses: the binding keeps only the code.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::ptr;
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::bindings as c;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::admin::{Request, request};
use super::fetch::c_name;
use crate::client::context::LogContext;

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Settings that differ from the broker's defaults.
    pub config: BTreeMap<&'static str, String>,
}

/// A topic that isn't made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotMade {
    pub(crate) topic: String,
    pub(crate) code: RDKafkaErrorCode,
    /// The broker's text.
    pub(crate) text: String,
}

/// Makes topics with the broker's replication. Those that aren't made are returned.
pub(crate) fn create_topics(
    admin: &AdminClient<LogContext>,
    specs: &[TopicSpec],
    timeout: Duration,
) -> Result<Vec<NotMade>, KafkaError> {
    let wait = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let mut topics: Vec<_> = specs.iter().map(new_topic).collect();
    if topics.iter().any(|topic| topic.is_null()) {
        topics.into_iter().filter(|topic| !topic.is_null()).for_each(destroy);
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::InvalidTopic));
    }
    // SAFETY: the topics live for all of this; the request is of its kind, and what the event owns is copied while it
    // lives.
    let answer = unsafe {
        let kind = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
        let send = |to: &Request| {
            c::rd_kafka_AdminOptions_set_operation_timeout(to.options, wait, ptr::null_mut(), 0);
            c::rd_kafka_CreateTopics(to.client, topics.as_mut_ptr(), topics.len(), to.options, to.queue);
        };
        request(admin.inner().native_ptr(), kind, timeout, KafkaError::AdminOp, send, |event| read(event))
    };
    topics.into_iter().for_each(destroy);
    answer
}

/// Null where the name is none.
fn new_topic(spec: &TopicSpec) -> *mut c::rd_kafka_NewTopic_t {
    let mut text: [c_char; 128] = [0; 128];
    let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
    // SAFETY: names and values are copied; `text` has the length given, and takes why a topic can't be.
    unsafe {
        let topic =
            c::rd_kafka_NewTopic_new(c_name(&spec.name).as_ptr(), partitions, -1, text.as_mut_ptr(), text.len());
        if !topic.is_null() {
            for (name, value) in &spec.config {
                c::rd_kafka_NewTopic_set_config(topic, c_name(name).as_ptr(), c_name(value).as_ptr());
            }
        }
        topic
    }
}

fn destroy(topic: *mut c::rd_kafka_NewTopic_t) {
    // SAFETY: each was made by `new_topic` and is destroyed once.
    unsafe { c::rd_kafka_NewTopic_destroy(topic) }
}

/// # Safety
/// The event is the answer to a `CreateTopics`.
unsafe fn read(event: *mut c::rd_kafka_event_t) -> Result<Vec<NotMade>, KafkaError> {
    let mut refused = Vec::new();
    // SAFETY: as the caller says; the answer and its parts live as long as the event.
    unsafe {
        let result = c::rd_kafka_event_CreateTopics_result(event);
        if result.is_null() {
            return Ok(refused);
        }
        let mut count = 0;
        let topics = c::rd_kafka_CreateTopics_result_topics(result, &mut count);
        for index in 0..count {
            let topic = *topics.add(index);
            let error = c::rd_kafka_topic_result_error(topic);
            let code = RDKafkaErrorCode::from(error);
            if code == RDKafkaErrorCode::NoError {
                continue;
            }
            let own = c::rd_kafka_topic_result_error_string(topic);
            let text = CStr::from_ptr(if own.is_null() { c::rd_kafka_err2str(error) } else { own });
            let text = format!("{} ({})", text.to_string_lossy().trim_end_matches('.'), name(error));
            let topic = CStr::from_ptr(c::rd_kafka_topic_result_name(topic)).to_string_lossy().into_owned();
            refused.push(NotMade { topic, code, text });
        }
    }
    Ok(refused)
}

/// Kafka's name of an error.
pub(super) fn name(error: c::rd_kafka_resp_err_t) -> String {
    // SAFETY: it is a constant.
    unsafe { CStr::from_ptr(c::rd_kafka_err2name(error)) }.to_string_lossy().into_owned()
}

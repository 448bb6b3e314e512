//! Sending records to topics that are known by their number.

use std::ffi::CStr;
use std::ptr::{self, NonNull};

use millrace_engine::record::Headers;
use rdkafka::IntoOpaque;
use rdkafka::bindings as c;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::fetch::c_name;

/// Topics of a producer, by number. It must be dropped before the producer.
pub(crate) struct Sender {
    topics: Vec<NonNull<c::rd_kafka_topic_t>>,
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Send for Sender {}

/// An error of a record that librdkafka refuses.
pub(crate) type Refused = RDKafkaErrorCode;

/// A record to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutgoingRecord<'a> {
    pub(crate) partition: u32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: i64,
    pub(crate) headers: &'a Headers,
}

impl Sender {
    /// Numbers the topics of these names in their order.
    pub(crate) fn new<'a, C: ProducerContext>(
        client: &BaseProducer<C>,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Self, Refused> {
        let mut this = Self { topics: Vec::new() };
        for name in names {
            this.add(client, name)?;
        }
        Ok(this)
    }

    /// Adds a topic, and gives its number.
    pub(crate) fn add<C: ProducerContext>(&mut self, client: &BaseProducer<C>, name: &str) -> Result<usize, Refused> {
        // SAFETY: the client lives; without a configuration the topic has the client's.
        let topic =
            unsafe { c::rd_kafka_topic_new(client.client().native_ptr(), c_name(name).as_ptr(), ptr::null_mut()) };
        self.topics.push(NonNull::new(topic).ok_or(RDKafkaErrorCode::InvalidTopic)?);
        Ok(self.topics.len() - 1)
    }

    /// Copies the record into the client's queue. `opaque` comes back with its delivery report.
    pub(crate) fn send<C: ProducerContext>(
        &self,
        client: &BaseProducer<C>,
        topic: usize,
        record: &OutgoingRecord<'_>,
        opaque: C::DeliveryOpaque,
    ) -> Result<(), Refused> {
        let Some(topic) = self.topics.get(topic) else { return Err(RDKafkaErrorCode::UnknownTopic) };
        let headers = native_headers(record.headers);
        let copy = c::RD_KAFKA_MSG_F_COPY;
        let (key, key_size) = parts(record.key);
        let (value, value_size) = parts(record.value);
        // SAFETY: each tag is followed by the arguments that rdkafka.h lists for it, of the C types it lists; key and
        // value are copied before it returns; the headers are taken over if it succeeds.
        let code = unsafe {
            c::rd_kafka_producev(
                client.client().native_ptr(),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic.as_ptr(),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                i32::try_from(record.partition).unwrap_or(i32::MAX),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                copy,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_size,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_size,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                opaque.into_ptr(),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        match RDKafkaErrorCode::from(code) {
            RDKafkaErrorCode::NoError => Ok(()),
            refused => {
                if !headers.is_null() {
                    // SAFETY: they weren't taken over.
                    unsafe { c::rd_kafka_headers_destroy(headers) }
                }
                Err(refused)
            }
        }
    }
}

impl Sender {
    /// The name of a topic, by number.
    pub(crate) fn name(&self, topic: usize) -> String {
        let Some(topic) = self.topics.get(topic) else { return String::new() };
        // SAFETY: the topic lives as long as this, and its name is a C string.
        unsafe { CStr::from_ptr(c::rd_kafka_topic_name(topic.as_ptr())) }.to_string_lossy().into_owned()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        for topic in &self.topics {
            // SAFETY: each was made once by `new` and is used no more; the client outlives its sender.
            unsafe { c::rd_kafka_topic_destroy(topic.as_ptr()) }
        }
    }
}

fn parts(bytes: Option<&[u8]>) -> (*const u8, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
}

/// Headers as librdkafka has them; null where there are none.
fn native_headers(headers: &Headers) -> *mut c::rd_kafka_headers_t {
    let headers = headers.as_slice();
    if headers.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: names and values are copied, with the lengths given. A null value is Kafka's null.
    unsafe {
        let list = c::rd_kafka_headers_new(headers.len());
        for header in headers {
            let (value, size) = parts(header.value.as_deref());
            let (size, name_size) = (size as isize, header.name.len() as isize);
            c::rd_kafka_header_add(list, header.name.as_ptr().cast(), name_size, value.cast(), size);
        }
        list
    }
}

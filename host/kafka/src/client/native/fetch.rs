//! Reading many records with one call.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use millrace_engine::record::{Header, Headers, InputRecord, TimestampType};
use rdkafka::bindings as c;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use super::topic_watch::{self, TopicWatch};
use crate::client::context::LogContext;
use crate::client::settings::client;
use crate::error::Error;

/// Most records of one call.
const POLL_RECORDS_LIMIT: usize = 1_000;

/// The size of an allocation that records share.
const BUFFER_BYTES: usize = 4 << 10;

/// A consumer of given partitions, with its own queue. Not a member of the group: the records that it reads count only
/// when a transaction with the member's generation commits their offsets.
pub(crate) struct Fetcher {
    /// Dropped before the consumer, whose log it reads.
    watch: TopicWatch,
    /// The consumer's own queue. Destroyed before the consumer: see `drop`.
    queue: NonNull<c::rd_kafka_queue_t>,
    consumer: BaseConsumer<LogContext>,
    messages: Vec<*mut c::rd_kafka_message_t>,
}

// SAFETY: librdkafka's handles may be used from any thread; `messages` is empty between calls.
unsafe impl Send for Fetcher {}

/// Something that was fetched from a partition.
pub(crate) enum Fetched<'a> {
    /// A record.
    Record(Message<'a>),
    /// The partition has been read up to this offset, which is its end for now. After the last record there may be
    /// markers of transactions.
    End(i64),
    /// The partition can't be read from here.
    Failed(RDKafkaErrorCode, String),
}

/// A record in librdkafka's memory.
pub(crate) struct Message<'a>(&'a c::rd_kafka_message_t);

impl Fetcher {
    /// Connects, and reads nothing yet.
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, Error> {
        let consumer: BaseConsumer<LogContext> = client(&topic_watch::configure(config))?;
        // SAFETY: the client lives as long as `consumer`, and has a consumer queue because it has a group id.
        let queue = unsafe { c::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        let none = || Error::Kafka(KafkaError::ClientCreation("a consumer without a queue".into()));
        let queue = NonNull::new(queue).ok_or_else(none)?;
        // SAFETY: as above.
        let mut watch = unsafe { TopicWatch::new(consumer.client().native_ptr()) }.ok_or_else(none)?;
        // SAFETY: the queue lives, and nothing is assigned.
        unsafe { watch.drain(queue) };
        Ok(Self { watch, queue, consumer, messages: Vec::with_capacity(POLL_RECORDS_LIMIT) })
    }

    /// Has [`made_anew`](Self::made_anew) give a topic that has another id than here.
    pub(crate) fn expect(&mut self, ids: BTreeMap<String, String>) {
        self.watch.expect(ids);
    }

    /// A topic that was deleted and made anew since its id was asked for. Nothing that the last `poll` handed over may
    /// count then: it may be from the middle of the new topic.
    pub(crate) fn made_anew(&self) -> Option<&str> {
        self.watch.changed()
    }

    /// Reads these partitions from the offsets given, and no others.
    pub(crate) fn assign(&self, places: &TopicPartitionList) -> Result<(), Error> {
        Ok(self.consumer.assign(places)?)
    }

    /// Stops reading a partition. Records that were fetched and not yet handed over are dropped.
    ///
    /// Not by librdkafka's pause: it goes on from a position of its own, which lies one offset too far after an end
    /// that was handed over (it takes the offset of each message that it hands over, an end too, for that of a record,
    /// and adds one).
    pub(crate) fn leave(&self, topic: &CStr, partition: i32) -> Result<(), Error> {
        Ok(self.consumer.incremental_unassign(&place(topic, partition, Offset::Invalid)?)?)
    }

    /// Reads a partition again, from this offset.
    pub(crate) fn enter(&self, topic: &CStr, partition: i32, next: i64) -> Result<(), Error> {
        Ok(self.consumer.incremental_assign(&place(topic, partition, Offset::Offset(next))?)?)
    }

    /// The high watermark of a partition as the last fetch of it knew it. Makes no request; none before the first
    /// fetch.
    pub(crate) fn known_end(&self, topic: &CStr, partition: i32) -> Option<i64> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client lives; both pointers are to locals, which the call fills in.
        let code = unsafe {
            let client = self.consumer.client().native_ptr();
            c::rd_kafka_get_watermark_offsets(client, topic.as_ptr(), partition, &mut low, &mut high)
        };
        (RDKafkaErrorCode::from(code) == RDKafkaErrorCode::NoError && high >= 0).then_some(high)
    }

    /// Waits for records, at most `timeout`, and hands over all that are there, up to a batch: topic handle (the same
    /// for the same topic as long as the client lives), partition, and record, end or error. Returns how many there
    /// were.
    pub(crate) fn poll(&mut self, timeout: Duration, mut take: impl FnMut(TopicHandle<'_>, i32, Fetched<'_>)) -> usize {
        // The call waits until it has as many as it is asked for: so it is asked for one, and then for all that are
        // there.
        let wait = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        if wait == 0 || self.receive(wait, 1) == 1 {
            self.receive(0, POLL_RECORDS_LIMIT - 1);
        }
        self.watch.look();
        let count = self.messages.len();
        for pointer in self.messages.drain(..) {
            // SAFETY: each is a message of ours until it is destroyed, once, below; what was made of it doesn't outlive
            // the call of `take`.
            unsafe {
                let message = &*pointer;
                if !message.rkt.is_null() {
                    take(TopicHandle(message.rkt, PhantomData), message.partition, fetched(message));
                }
                c::rd_kafka_message_destroy(pointer);
            }
        }
        count
    }

    /// Receives up to `most` messages after those that are there, and waits for them for at most so many milliseconds.
    fn receive(&mut self, wait: i32, most: usize) -> usize {
        let there = self.messages.len();
        let most = most.min(POLL_RECORDS_LIMIT - there);
        // SAFETY: `messages` has room for `POLL_RECORDS_LIMIT` pointers; the call writes as many as it says, behind
        // those that are there.
        unsafe {
            let place = self.messages.as_mut_ptr().add(there);
            let got = c::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, place, most);
            let got = usize::try_from(got).unwrap_or(0);
            self.messages.set_len(there + got);
            got
        }
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        // SAFETY: the queue is ours and is used no more; the client is destroyed after it.
        unsafe { c::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// A topic of a message.
#[derive(Clone, Copy)]
pub(crate) struct TopicHandle<'a>(*mut c::rd_kafka_topic_t, PhantomData<&'a ()>);

impl TopicHandle<'_> {
    /// Tells topics apart without their names.
    pub(crate) fn handle(self) -> usize {
        self.0 as usize
    }

    /// Its name.
    pub(crate) fn name(self) -> String {
        // SAFETY: the topic lives as long as the message, and its name is a C string.
        unsafe { CStr::from_ptr(c::rd_kafka_topic_name(self.0)) }.to_string_lossy().into_owned()
    }
}

fn fetched(message: &c::rd_kafka_message_t) -> Fetched<'_> {
    match RDKafkaErrorCode::from(message.err) {
        RDKafkaErrorCode::NoError => Fetched::Record(Message(message)),
        RDKafkaErrorCode::PartitionEOF => Fetched::End(message.offset),
        code => {
            // SAFETY: a message with an error has a text for it, which lives as long as it.
            let text = unsafe { CStr::from_ptr(c::rd_kafka_message_errstr(message)) };
            Fetched::Failed(code, text.to_string_lossy().into_owned())
        }
    }
}

impl Message<'_> {
    pub(crate) fn offset(&self) -> i64 {
        self.0.offset
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        // SAFETY: key and length belong together.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: payload and length belong together.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    /// The record as a task takes it, with all of its bytes copied into a buffer that many records share. `arrived` is
    /// when the driver got it.
    pub(crate) fn record(&self, buffer: &mut BytesMut, arrived: i64) -> InputRecord {
        let (timestamp, timestamp_type) = self.timestamp();
        let (key, value) = (self.key().map(|key| share(buffer, key)), self.value().map(|value| share(buffer, value)));
        let (offset, headers, turn) = (self.offset(), self.headers(buffer), 0);
        InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived, turn }
    }

    /// The timestamp, and whether the broker has set it.
    fn timestamp(&self) -> (i64, TimestampType) {
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives, and `kind` is a local.
        let timestamp = unsafe { c::rd_kafka_message_timestamp(self.0, &mut kind) };
        match kind {
            c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                (timestamp, TimestampType::LogAppendTime)
            }
            _ => (timestamp, TimestampType::CreateTime),
        }
    }

    /// Its headers. A name with a null byte ends there: librdkafka doesn't give the lengths of names.
    fn headers(&self, buffer: &mut BytesMut) -> Headers {
        let mut list = ptr::null_mut();
        // SAFETY: the list belongs to the message, and so do names and values, which are copied at once.
        unsafe {
            if RDKafkaErrorCode::from(c::rd_kafka_message_headers(self.0, &mut list)) != RDKafkaErrorCode::NoError {
                return Headers::EMPTY;
            }
            let mut headers = Vec::with_capacity(c::rd_kafka_header_cnt(list));
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            while RDKafkaErrorCode::from(c::rd_kafka_header_get_all(
                list,
                headers.len(),
                &mut name,
                &mut value,
                &mut size,
            )) == RDKafkaErrorCode::NoError
            {
                let name = share(buffer, CStr::from_ptr(name).to_bytes());
                headers.push(Header { name, value: bytes(value, size).map(|value| share(buffer, value)) });
            }
            headers.into()
        }
    }
}

/// The bytes at a pointer, none where it is null.
///
/// # Safety
/// A pointer that isn't null points to `length` bytes that live as long as the result.
pub(super) unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    Some(unsafe { std::slice::from_raw_parts(pointer.cast(), length) })
}

/// The headers of a record that comes back with a delivery report. The bindings take it for granted that their names
/// are text, and panic in librdkafka's callback where they aren't.
pub(crate) fn headers(message: &BorrowedMessage<'_>) -> Headers {
    // SAFETY: what the pointer leads to lives as long as the message.
    Message(unsafe { &*message.ptr() }).headers(&mut BytesMut::new())
}

/// Bytes in a buffer that many records share: each part of a record with an allocation of its own would cost more than
/// the copy. The buffer is small, so that a part that is kept doesn't keep much else in memory.
fn share(buffer: &mut BytesMut, bytes: &[u8]) -> Bytes {
    if bytes.is_empty() {
        return Bytes::new();
    }
    if buffer.capacity() < bytes.len() {
        *buffer = BytesMut::with_capacity(bytes.len().max(BUFFER_BYTES));
    }
    buffer.extend_from_slice(bytes);
    buffer.split().freeze()
}

fn place(topic: &CStr, partition: i32, offset: Offset) -> Result<TopicPartitionList, Error> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic.to_string_lossy(), partition, offset)?;
    Ok(list)
}

/// A topic's name as librdkafka takes it. Topic names have no null bytes: pipelines check them.
pub(crate) fn c_name(name: &str) -> CString {
    CString::new(name).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

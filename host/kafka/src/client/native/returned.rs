//! Records that come back with a delivery report.

use std::ffi::CStr;

use rdkafka::bindings as c;
use rdkafka::message::BorrowedMessage;

use super::create_topics::name;

/// A record of a delivery report, in librdkafka's memory.
pub(crate) struct Returned<'a>(&'a c::rd_kafka_message_t);

impl<'a> Returned<'a> {
    pub(crate) fn new(message: &'a BorrowedMessage<'_>) -> Self {
        // SAFETY: the pointer is that of a message that lives as long as its event, which `message` holds.
        Self(unsafe { &*message.ptr() })
    }

    /// The meaning of its error code, and Kafka's name of it.
    pub(crate) fn reason(&self) -> String {
        // SAFETY: it is a constant.
        let text = unsafe { CStr::from_ptr(c::rd_kafka_err2str(self.0.err)) }.to_string_lossy();
        format!("{} ({})", text.trim_start_matches("Broker: "), name(self.0.err))
    }

    /// Whether a broker may have stored it: it was sent, and no answer excludes that it was stored.
    pub(crate) fn may_be_stored(&self) -> bool {
        // SAFETY: the message comes from a producer, and lives.
        let status = unsafe { c::rd_kafka_message_status(self.0) };
        status != c::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
    }

    /// The address of the broker's text; 0 if there was none. It can't be read: librdkafka 2.12.1 frees it before it
    /// hands over the report. But records with the same address have the same text.
    pub(crate) fn place_of_words(&self) -> usize {
        // SAFETY: the message comes from a producer, and nothing is read at the place.
        unsafe { c::rd_kafka_message_produce_errstr(self.0) as usize }
    }
}

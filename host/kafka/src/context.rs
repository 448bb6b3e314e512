//! What librdkafka says, into our log.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

/// A client's context that does nothing but log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log;

impl ClientContext for Log {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl ConsumerContext for Log {}

/// A line of librdkafka's.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, "librdkafka: {message}");
        }
        // That a broker can't be reached comes from each connection of each client, again and again. Who waits for it
        // says so once.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::debug!(facility, "librdkafka: {message}");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::trace!(facility, "librdkafka: {message}"),
    }
}

/// An error that isn't the answer to a call: librdkafka goes on trying.
pub(crate) fn log_error(error: &KafkaError, reason: &str) {
    tracing::debug!(%error, "librdkafka: {reason}");
}

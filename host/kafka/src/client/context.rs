//! Contexts of clients: they take librdkafka's messages into the log, and keep the last error.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use crate::error::code;

/// A client's context that only logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl ConsumerContext for LogContext {}

/// Why a client has no connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionTrouble {
    /// librdkafka's text.
    pub(crate) text: String,
    /// Whether it is a refusal: of the client by a broker, or of a broker's certificate by the client. Waiting doesn't
    /// help then.
    pub(crate) refusal: bool,
}

/// A client's context that keeps the last error of a connection, and a refusal rather than errors that follow from it.
#[derive(Default)]
pub(crate) struct TroubleContext(Mutex<Option<ConnectionTrouble>>);

impl TroubleContext {
    fn note(&self, trouble: ConnectionTrouble) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.refusal || heard.as_ref().is_none_or(|heard| !heard.refusal) {
            *heard = Some(trouble);
        }
    }
}

impl ClientContext for TroubleContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // That a broker ends a connection is no error to librdkafka, and comes as a line of its log.
        if facility == "FAIL" && message.contains("Disconnected") {
            self.note(ConnectionTrouble { text: cause(message), refusal: false });
        }
        log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, SSL};
        let code = code(&error);
        // A connection that ends while it is set up is no refusal: a broker that is about to start or stop does that.
        let refusal = code == Some(Authentication) || (code == Some(SSL) && reason.contains("certificate"));
        // That all brokers are down follows from the error of each.
        if code != Some(AllBrokersDown) {
            self.note(ConnectionTrouble { text: cause(reason), refusal });
        }
        log_error(&error, reason);
    }
}

impl ConsumerContext for TroubleContext {}

/// librdkafka's text about a connection, without the time it took and the number of repetitions, which differ each
/// time. Where a broker ends a connection before it is set up, librdkafka's text depends on how it notices, with a hint
/// or without one; here it is always the same, with the likely cause.
pub(crate) fn cause(reason: &str) -> String {
    let reason = reason.split_once("]: ").filter(|_| reason.starts_with("[thrd:")).map_or(reason, |(_, text)| text);
    let (text, how) = reason.split_once(" (after ").unwrap_or((reason, ""));
    let tls = text.starts_with("ssl://") || text.starts_with("sasl_ssl://");
    let hint = match () {
        () if !tls && how.contains("APIVERSION_QUERY") => "at the first request: is this a TLS listener",
        () if tls && how.contains("SSL_HANDSHAKE") => "in the TLS handshake: is this a listener without TLS",
        () => return text.to_owned(),
    };
    match text.split_once("Disconnected: ") {
        Some((address, _)) => {
            let address = address.replacen("SSL handshake failed: ", "", 1);
            format!("{address}Disconnected, {hint} (`security.protocol`)?")
        }
        None => text.to_owned(),
    }
}

/// The most events of a client that are served at a time.
const EVENTS_PER_POLL: usize = 100;

/// Serves the events of a client that reads nothing, which would pile up.
pub(crate) fn serve_events<C: ConsumerContext>(client: &BaseConsumer<C>) {
    for _ in 0..EVENTS_PER_POLL {
        client.poll(Duration::ZERO);
    }
}

/// The last error of a client's connections, if there was one.
pub(crate) fn trouble(client: &BaseConsumer<TroubleContext>) -> Option<ConnectionTrouble> {
    serve_events(client);
    client.context().0.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A line of librdkafka's.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // The call that fails returns fatal errors as well, and its caller knows what they mean: that another instance
        // has taken a producer's id is harmless when two start at once.
        _ if matches!(facility, "FATAL" | "TXNERR") => tracing::debug!(facility, "librdkafka: {message}"),
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, "librdkafka: {message}");
        }
        // That a broker can't be reached is reported by each connection of each client, again and again. The caller
        // that waits for the broker logs it once.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_ends_before_it_is_set_up_may_be_one_to_the_other_kind_of_listener() {
        let plain =
            "one:9092/bootstrap: Disconnected, at the first request: is this a TLS listener (`security.protocol`)?";
        let tls = "ssl://one:9092/bootstrap: Disconnected, in the TLS handshake: is this a listener without TLS \
                   (`security.protocol`)?";
        let set_up = "one:9092/bootstrap: Disconnected: closed";
        let refused = "one:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused";
        for (said, right) in [
            (
                "[thrd:one:9092/bootstrap]: one:9092/bootstrap: Disconnected: connection reset by peer (after 2ms in \
                 state APIVERSION_QUERY, 1 identical error(s) suppressed)",
                plain,
            ),
            (
                "one:9092/bootstrap: Disconnected: connection closed by peer: POLLHUP (after 2ms in state \
                 APIVERSION_QUERY)",
                plain,
            ),
            // The same listener, noticed by the first call of the handshake, a later one, and a hang-up in between.
            (
                "ssl://one:9092/bootstrap: Disconnected: SSL connection closed by peer (after 1ms in state \
                 SSL_HANDSHAKE)",
                tls,
            ),
            (
                "[thrd:ssl://one:9092/bootstrap]: ssl://one:9092/bootstrap: SSL handshake failed: Disconnected: SSL \
                 connection closed by peer: connecting to a PLAINTEXT broker listener? (after 1ms in state \
                 SSL_HANDSHAKE)",
                tls,
            ),
            (
                "ssl://one:9092/bootstrap: Disconnected: during SSL connection handshake (after 1ms in state \
                 SSL_HANDSHAKE)",
                tls,
            ),
            ("one:9092/bootstrap: Disconnected: closed (after 2ms in state UP)", set_up),
            (
                "sasl_ssl://one:9092/1: Disconnected: closed (after 2ms in state APIVERSION_QUERY)",
                "sasl_ssl://one:9092/1: Disconnected: closed",
            ),
            (
                "ssl://one:9092/1: SSL handshake failed: broker certificate could not be verified (after 1ms in state \
                 SSL_HANDSHAKE)",
                "ssl://one:9092/1: SSL handshake failed: broker certificate could not be verified",
            ),
            (refused, refused),
        ] {
            assert_eq!(cause(said), right);
        }
    }
}

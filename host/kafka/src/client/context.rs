//! What librdkafka says, into our log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use crate::error::code;

/// A client's context that does nothing but log.
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

/// Why a client doesn't get anywhere.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionTrouble {
    /// What librdkafka says.
    pub(crate) text: String,
    /// Whether somebody refuses: a broker the client, or the client a broker's certificate. Waiting doesn't help then.
    pub(crate) refusal: bool,
}

/// Keeps the last trouble that librdkafka speaks of, and a refusal rather than what follows from it.
#[derive(Default)]
pub(crate) struct TroubleContext(Mutex<Option<ConnectionTrouble>>);

impl TroubleContext {
    fn hear(&self, trouble: ConnectionTrouble) {
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
            self.hear(ConnectionTrouble { text: cause(message), refusal: false });
        }
        log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, SSL};
        let code = code(&error);
        // A connection that ends while it is set up is no refusal: a broker that is about to start or stop does that.
        let refusal = code == Some(Authentication) || (code == Some(SSL) && reason.contains("certificate"));
        // That all are down follows from what is wrong with each.
        if code != Some(AllBrokersDown) {
            self.hear(ConnectionTrouble { text: cause(reason), refusal });
        }
        log_error(&error, reason);
    }
}

impl ConsumerContext for TroubleContext {}

/// What librdkafka says of a connection without how long it took and how often it was so: that differs each time. Where
/// a broker ends a connection before it is set up, librdkafka has a word for each way in which it can notice, now with a
/// hint and now without; here it is one, with what may be the cause.
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

/// So many events of a client are heard at a time.
const EVENTS_PER_POLL: usize = 100;

/// Hears the events of a client that reads nothing, which would pile up.
pub(crate) fn hear<C: ConsumerContext>(client: &BaseConsumer<C>) {
    for _ in 0..EVENTS_PER_POLL {
        client.poll(Duration::ZERO);
    }
}

/// What trouble a client has had, if any.
pub(crate) fn trouble(client: &BaseConsumer<TroubleContext>) -> Option<ConnectionTrouble> {
    hear(client);
    client.context().0.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A line of librdkafka's.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // That a client can't go on comes back from the call that finds out, which knows what it means: that another
        // instance has taken a producer's id is nothing bad when two start at once.
        _ if matches!(facility, "FATAL" | "TXNERR") => tracing::debug!(facility, "librdkafka: {message}"),
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
                "[thrd:one:9092/bootstrap]: one:9092/bootstrap: Disconnected: connection reset by peer (after 2ms in state \
                 APIVERSION_QUERY, 1 identical error(s) suppressed)",
                plain,
            ),
            (
                "one:9092/bootstrap: Disconnected: connection closed by peer: POLLHUP (after 2ms in state APIVERSION_QUERY)",
                plain,
            ),
            // The same listener, noticed by the first call of the handshake, a later one, and a hang-up in between.
            (
                "ssl://one:9092/bootstrap: Disconnected: SSL connection closed by peer (after 1ms in state SSL_HANDSHAKE)",
                tls,
            ),
            (
                "[thrd:ssl://one:9092/bootstrap]: ssl://one:9092/bootstrap: SSL handshake failed: Disconnected: SSL connection \
                 closed by peer: connecting to a PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
                tls,
            ),
            (
                "ssl://one:9092/bootstrap: Disconnected: during SSL connection handshake (after 1ms in state SSL_HANDSHAKE)",
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

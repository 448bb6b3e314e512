//! A cluster that doesn't answer: logged now and then, with the reason that librdkafka gives for a single broker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::context;

/// How often it is logged: librdkafka reports it at every attempt.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The last error of a single broker, and when the silence was logged.
#[derive(Default)]
pub(super) struct ClusterSilence(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    /// When it was logged last.
    logged: Option<Instant>,
    /// Why a broker couldn't be reached, the last time that one couldn't.
    unreached: Option<String>,
}

impl ClusterSilence {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is to be logged again.
    pub(super) fn may_say_so(&self) -> bool {
        self.heard().may_say_so()
    }

    /// Notes an error of the group's member, and logs it if it means that the cluster doesn't answer. The instance's
    /// other clients have the same errors.
    pub(super) fn note_error(&self, error: &KafkaError, reason: &str) {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, BrokerTransportFailure, Resolve, SSL};
        let mut heard = self.heard();
        match error.rdkafka_error_code() {
            Some(BrokerTransportFailure | Resolve) => heard.unreached = Some(context::cause(reason)),
            Some(code @ (AllBrokersDown | Authentication | SSL)) if heard.may_say_so() => {
                // That all brokers are down follows from the error of each.
                let of_one = heard.unreached.as_deref().filter(|_| code == AllBrokersDown);
                let reason = of_one.unwrap_or(reason);
                tracing::warn!(%error, reason, "the cluster doesn't answer: waiting for it");
            }
            _ => {}
        }
    }
}

impl Heard {
    fn may_say_so(&mut self) -> bool {
        let may = self.logged.is_none_or(|at| at.elapsed() > LOG_INTERVAL);
        if may {
            self.logged = Some(Instant::now());
        }
        may
    }
}

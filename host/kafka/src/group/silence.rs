//! A cluster that doesn't answer: said once in a while, with the reason that librdkafka has of a single broker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::context;

/// How often to say it: librdkafka does at every attempt.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What was heard and said of it.
#[derive(Default)]
pub(super) struct ClusterSilence(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    /// When it was last said.
    said: Option<Instant>,
    /// Why a broker couldn't be reached, the last time that one couldn't.
    unreached: Option<String>,
}

impl ClusterSilence {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it hasn't been said for a while.
    pub(super) fn may_say_so(&self) -> bool {
        self.heard().may_say_so()
    }

    /// Takes in an error of the group's member, and says it where it is one. The instance's other clients have the same
    /// trouble.
    pub(super) fn hear(&self, error: &KafkaError, reason: &str) {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, BrokerTransportFailure, Resolve, SSL};
        let mut heard = self.heard();
        match error.rdkafka_error_code() {
            Some(BrokerTransportFailure | Resolve) => heard.unreached = Some(context::cause(reason)),
            Some(code @ (AllBrokersDown | Authentication | SSL)) if heard.may_say_so() => {
                // That all are down follows from what is wrong with each.
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
        let may = self.said.is_none_or(|at| at.elapsed() > LOG_INTERVAL);
        if may {
            self.said = Some(Instant::now());
        }
        may
    }
}

//! Why the group refuses this process, if it does. librdkafka goes on trying, and reports the error once, or at each
//! attempt: here it is kept, and logged until there is an assignment.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::codes::{Class, class, remedy};
use crate::error::{Error, code};

/// How often a refusal is logged. A passing error is logged when it has lasted for as long.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The group's refusal of this process since the last assignment.
#[derive(Default)]
pub(crate) struct JoinRefusal(Option<PendingRefusal>);

struct PendingRefusal {
    reason: String,
    /// When it is logged next.
    due: Instant,
}

impl JoinRefusal {
    /// Takes in an error of the group's member.
    ///
    /// # Errors
    /// [`Error::Setup`]: it will be the same at each attempt.
    pub(crate) fn note_error(&mut self, error: &KafkaError, now: Instant) -> Result<(), Error> {
        // librdkafka's own codes are below zero: that no broker answers is logged by `ClusterSilence`.
        let Some(code) = code(error).filter(|code| *code as i32 > 0) else { return Ok(()) };
        let reason = format!("{code}{}", remedy(code));
        let wait = match class(code) {
            Class::App => return Err(Error::Setup(format!("the group doesn't take this process: {reason}"))),
            // A topic that can't be seen is logged by `UnseenInputs`.
            Class::Topic | Class::Group => return Ok(()),
            Class::Permission => Duration::ZERO,
            _ if is_refusal(code) => Duration::ZERO,
            _ => LOG_INTERVAL,
        };
        match &mut self.0 {
            Some(heard) if heard.reason == reason => {}
            // A later error that follows from the refusal, such as an unknown coordinator, doesn't replace it.
            Some(heard) if wait > Duration::ZERO && heard.due > now => {}
            heard => *heard = Some(PendingRefusal { reason, due: now + wait }),
        }
        Ok(())
    }

    /// There is an assignment.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// The reason, if it is to be logged now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<&str> {
        let heard = self.0.as_mut().filter(|heard| heard.due <= now)?;
        heard.due = now + LOG_INTERVAL;
        Some(&heard.reason)
    }
}

/// Whether an administrator has to act, although this process needn't be started again.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::InconsistentGroupProtocol | RDKafkaErrorCode::GroupMaxSizeReached)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(refusal: &mut JoinRefusal, code: RDKafkaErrorCode, now: Instant) -> Result<(), Error> {
        refusal.note_error(&KafkaError::MessageConsumption(code), now)
    }

    #[test]
    fn a_refusal_is_logged_at_once_and_again_until_there_is_an_assignment() {
        let (mut refusal, began) = (JoinRefusal::default(), Instant::now());
        for code in [RDKafkaErrorCode::GroupAuthorizationFailed, RDKafkaErrorCode::GroupMaxSizeReached] {
            assert!(heard(&mut refusal, code, began).is_ok());
            assert!(refusal.take_due(began).is_some_and(|logged| logged.contains("; ")), "with what can be done");
            assert!(heard(&mut refusal, code, began).is_ok());
            assert!(refusal.take_due(began).is_none(), "not at each attempt");
            assert!(refusal.take_due(began + LOG_INTERVAL).is_some(), "also where it isn't heard again");
            refusal.clear();
            assert!(refusal.take_due(began + LOG_INTERVAL * 2).is_none());
        }
    }

    #[test]
    fn a_passing_error_is_logged_when_it_lasts_and_hides_no_refusal() {
        let (mut refusal, began) = (JoinRefusal::default(), Instant::now());
        assert!(heard(&mut refusal, RDKafkaErrorCode::CoordinatorLoadInProgress, began).is_ok());
        assert!(refusal.take_due(began).is_none());
        assert!(refusal.take_due(began + LOG_INTERVAL).is_some());
        assert!(heard(&mut refusal, RDKafkaErrorCode::GroupAuthorizationFailed, began + LOG_INTERVAL).is_ok());
        assert!(
            refusal.take_due(began + LOG_INTERVAL).is_some_and(|logged| logged.contains("allow the app its group"))
        );
        assert!(heard(&mut refusal, RDKafkaErrorCode::CoordinatorLoadInProgress, began + LOG_INTERVAL).is_ok());
        assert!(
            refusal.take_due(began + LOG_INTERVAL * 2).is_some_and(|logged| logged.contains("allow the app its group"))
        );
    }

    #[test]
    fn a_refusal_that_another_attempt_can_not_mend_ends_the_process_with_the_setting_to_change() {
        let refused = heard(&mut JoinRefusal::default(), RDKafkaErrorCode::InvalidSessionTimeout, Instant::now());
        assert!(refused.is_err_and(|error| error.to_string().contains("`session.timeout.ms` under [kafka]")));
    }
}

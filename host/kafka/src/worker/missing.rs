//! Internal topics that brokers don't tell of. A broker may be behind; a topic of which none has told for long has been
//! deleted. Kept for all workers of a process: each asks about the topics of its own tasks, time and again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An internal topic that no broker has told of for so long has been deleted.
const DELETED_AFTER: Duration = Duration::from_secs(10);

/// Who hasn't asked about a topic for so long knows nothing of the time in between.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// The topics that are missing, by name: since when, and when that was last seen.
#[derive(Default)]
pub(crate) struct MissingTopics(Mutex<BTreeMap<String, (Instant, Instant)>>);

impl MissingTopics {
    /// A broker was asked about this topic, and has told of it or hasn't. Whether the topic has been deleted.
    pub(super) fn is_gone(&self, topic: &str, there: bool, now: Instant) -> bool {
        let mut missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if there {
            missing.remove(topic);
            return false;
        }
        let (since, seen) = missing.entry(topic.to_owned()).or_insert((now, now));
        if now.duration_since(*seen) > FORGOTTEN_AFTER {
            *since = now;
        }
        *seen = now;
        now.duration_since(*since) >= DELETED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_no_broker_tells_of_is_gone_after_a_while_whatever_is_asked_of_others() {
        let (missing, began) = (MissingTopics::default(), Instant::now());
        for second in 0..10 {
            let now = began + Duration::from_secs(second);
            assert!(!missing.is_gone("deleted", false, now));
            assert!(!missing.is_gone("other", true, now));
        }
        assert!(missing.is_gone("deleted", false, began + DELETED_AFTER));
    }

    #[test]
    fn a_topic_that_a_broker_tells_of_is_not_gone() {
        let (missing, began) = (MissingTopics::default(), Instant::now());
        assert!(!missing.is_gone("topic", false, began));
        assert!(!missing.is_gone("topic", true, began + DELETED_AFTER / 2));
        assert!(!missing.is_gone("topic", false, began + DELETED_AFTER));
        assert!(missing.is_gone("topic", false, began + DELETED_AFTER * 2));
    }

    #[test]
    fn a_topic_that_nobody_has_asked_about_for_long_is_not_gone_at_the_first_look() {
        let (missing, began) = (MissingTopics::default(), Instant::now());
        assert!(!missing.is_gone("topic", false, began));
        let later = began + FORGOTTEN_AFTER * 2;
        assert!(!missing.is_gone("topic", false, later));
        assert!(missing.is_gone("topic", false, later + DELETED_AFTER));
    }
}

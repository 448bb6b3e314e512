//! Internal topics that brokers don't know of. A broker may be behind; a topic that no broker has known for long has
//! been deleted. All workers of a process share this: each asks about the topics of its own tasks, again and again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An internal topic that no broker has known for so long has been deleted.
const DELETED_AFTER: Duration = Duration::from_secs(10);

/// If a topic wasn't asked about for so long, it may have been there in between.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// The missing topics, by name: since when, and when it was last found missing.
#[derive(Default)]
pub(crate) struct MissingTopics(Mutex<BTreeMap<String, (Instant, Instant)>>);

impl MissingTopics {
    /// Notes whether a broker knows this topic. Gives whether the topic has been deleted.
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
    fn a_topic_that_no_broker_knows_counts_as_deleted_after_a_while() {
        let (missing, began) = (MissingTopics::default(), Instant::now());
        for second in 0..10 {
            let now = began + Duration::from_secs(second);
            assert!(!missing.is_gone("deleted", false, now));
            assert!(!missing.is_gone("other", true, now));
        }
        assert!(missing.is_gone("deleted", false, began + DELETED_AFTER));
    }

    #[test]
    fn a_topic_that_a_broker_knows_is_not_deleted() {
        let (missing, began) = (MissingTopics::default(), Instant::now());
        assert!(!missing.is_gone("topic", false, began));
        assert!(!missing.is_gone("topic", true, began + DELETED_AFTER / 2));
        assert!(!missing.is_gone("topic", false, began + DELETED_AFTER));
        assert!(missing.is_gone("topic", false, began + DELETED_AFTER * 2));
    }

    #[test]
    fn a_topic_that_was_not_asked_about_for_long_is_not_deleted_at_the_first_answer() {
        let (missing, began) = (MissingTopics::default(), Instant::now());
        assert!(!missing.is_gone("topic", false, began));
        let later = began + FORGOTTEN_AFTER * 2;
        assert!(!missing.is_gone("topic", false, later));
        assert!(missing.is_gone("topic", false, later + DELETED_AFTER));
    }
}

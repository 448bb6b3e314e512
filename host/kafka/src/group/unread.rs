//! Inputs that the group doesn't assign. Where the member that assigns partitions can't see a topic, no member gets its
//! partitions: no task reads them, and no worker can log it. So it is logged here, until the topic can be seen again.
//! Then the member joins again, because librdkafka does so only where its own subscription has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::client::native::Topics;
use crate::error::codes::remedy;

/// How often to look whether a topic can be seen. A topic that is missing from one answer isn't logged, unless the
/// member has missed it too: the broker may have been behind.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How long the member's error counts that it can't see a topic: it comes just before a rebalance.
const SUSPICION_TTL: Duration = Duration::from_secs(30);

/// How often a topic that can't be seen is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

const UNKNOWN: &str = "the broker knows of no such topic: it has been deleted, or the broker is behind";

/// The inputs that the group assigns to no member, as far as this member knows.
#[derive(Default)]
pub(super) struct UnseenInputs {
    /// Topics of which this member has partitions: its workers log it if these can't be read.
    assigned: BTreeSet<String>,
    /// Those of the others that couldn't be seen, until the group has assigned them.
    topics: BTreeMap<String, Hidden>,
    /// When to look next.
    due: Option<Instant>,
    /// When the member last said that it couldn't see a topic.
    suspected: Option<Instant>,
    logged: Option<Instant>,
}

/// How the member gets topics back into the group's assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RejoinStep {
    Nothing,
    /// Refresh the metadata: librdkafka joins again if its subscription has changed.
    Refresh,
    /// Join again all the same.
    Join,
}

struct Hidden {
    since: Instant,
    /// Why it can't be seen, if that is still so.
    reason: Option<String>,
}

impl UnseenInputs {
    /// There is an assignment, with partitions of these topics.
    pub(super) fn assign(&mut self, topics: BTreeSet<String>, now: Instant) {
        *self = Self { assigned: topics, due: Some(now), suspected: self.suspected, ..Self::default() };
    }

    /// There is none any more.
    pub(super) fn revoke(&mut self) {
        *self = Self { suspected: self.suspected, ..Self::default() };
    }

    /// The group's member has found that a topic can't be seen. Where it can see none, it doesn't even join.
    pub(super) fn suspect(&mut self, now: Instant) {
        (self.due, self.suspected) = (Some(now), Some(now));
    }

    /// Whether a topic was logged that still can't be seen.
    pub(super) fn is_named(&self) -> bool {
        self.logged.is_some() && self.topics.values().any(|hidden| hidden.reason.is_some())
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Takes in the cluster's answer about the inputs.
    pub(super) fn look(&mut self, inputs: &[&str], found: &Topics, now: Instant) -> RejoinStep {
        let mut before = std::mem::take(&mut self.topics);
        let mut step = RejoinStep::Nothing;
        for input in inputs.iter().filter(|input| !self.assigned.contains(**input)) {
            let before = before.remove(*input);
            let reason = match (found.get(*input), &before) {
                (None, _) => Some(UNKNOWN.to_owned()),
                (Some(Err(code)), _) => Some(format!("the broker doesn't describe the topic: {code}{}", remedy(*code))),
                (Some(Ok(_)), None) => continue,
                (Some(Ok(_)), Some(before)) => {
                    // A topic that was there at the last look already, and still isn't assigned, needs more than that.
                    step = match before.reason {
                        Some(_) if step != RejoinStep::Join => RejoinStep::Refresh,
                        _ => RejoinStep::Join,
                    };
                    None
                }
            };
            let since = before.map_or(now, |hidden| hidden.since);
            self.topics.insert((*input).to_owned(), Hidden { since, reason });
        }
        self.due = (!self.topics.is_empty()).then(|| now + LOOK_INTERVAL);
        step
    }

    /// The topics to be logged now, with the reasons.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(&str, &str)> {
        if self.logged.is_some_and(|logged| now < logged + LOG_INTERVAL) {
            return Vec::new();
        }
        let is_suspected = self.suspected.is_some_and(|at| now < at + SUSPICION_TTL);
        let is_due = |hidden: &Hidden| is_suspected || hidden.since + LOOK_INTERVAL <= now;
        let named = self.topics.iter().filter(|(_, hidden)| is_due(hidden));
        let topics: Vec<_> =
            named.filter_map(|(topic, hidden)| Some((topic.as_str(), hidden.reason.as_deref()?))).collect();
        if !topics.is_empty() {
            self.logged = Some(now);
        }
        topics
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;
    use crate::client::native::Topic;

    const INPUTS: [&str; 3] = ["orders", "payments", "stock"];

    /// The cluster's answer about the inputs, where `payments` may not be seen.
    fn found(payments: Option<RDKafkaErrorCode>) -> Topics {
        let topic = Topic { id: "id".into(), partitions: 1, leaders: BTreeMap::new() };
        let all = INPUTS.iter().map(|name| {
            let refusal = payments.filter(|_| *name == "payments");
            ((*name).to_owned(), refusal.map_or_else(|| Ok(topic.clone()), Err))
        });
        all.collect()
    }

    fn assigned(topics: &[&str]) -> BTreeSet<String> {
        topics.iter().map(|topic| (*topic).to_owned()).collect()
    }

    #[test]
    fn an_input_that_may_not_be_seen_is_named_again_and_again_until_the_group_has_assigned_it() {
        let (mut unread, began) = (UnseenInputs::default(), Instant::now());
        assert!(!unread.is_due(began));
        unread.assign(assigned(&["orders"]), began);
        assert!(unread.is_due(began));
        let refused = found(Some(RDKafkaErrorCode::TopicAuthorizationFailed));
        assert_eq!(unread.look(&INPUTS, &refused, began), RejoinStep::Nothing);
        assert!(unread.take_due(began).is_empty(), "the broker may be behind");

        assert!(!unread.is_due(began));
        assert!(unread.is_due(began + LOOK_INTERVAL));
        assert_eq!(unread.look(&INPUTS, &refused, began + LOOK_INTERVAL), RejoinStep::Nothing);
        let logged = unread.take_due(began + LOOK_INTERVAL);
        assert!(
            matches!(logged[..], [("payments", reason)] if reason.contains("allow the app to use the topic")),
            "{logged:?}"
        );
        assert!(unread.is_named());
        assert!(unread.take_due(began + LOG_INTERVAL).is_empty(), "it was logged not long ago");
        assert_eq!(unread.take_due(began + LOOK_INTERVAL + LOG_INTERVAL).len(), 1);

        let allowed = found(None);
        for (round, step) in [(10, RejoinStep::Refresh), (11, RejoinStep::Join), (12, RejoinStep::Join)] {
            let now = began + LOOK_INTERVAL * round;
            assert!(unread.is_due(now));
            assert_eq!(unread.look(&INPUTS, &allowed, now), step, "until it is assigned");
            assert!(unread.take_due(now).is_empty());
            assert!(!unread.is_named());
        }
        unread.assign(assigned(&INPUTS), began + LOOK_INTERVAL * 13);
        assert_eq!(unread.look(&INPUTS, &allowed, began + LOOK_INTERVAL * 13), RejoinStep::Nothing);
        assert!(!unread.is_due(began + LOOK_INTERVAL * 100), "nothing is left to look at");
    }

    #[test]
    fn inputs_that_can_be_seen_again_together_are_asked_for_before_the_member_joins_again() {
        let (mut unread, now) = (UnseenInputs::default(), Instant::now());
        unread.assign(assigned(&["orders"]), now);
        assert_eq!(unread.look(&INPUTS, &Topics::default(), now), RejoinStep::Nothing);
        assert_eq!(unread.look(&INPUTS, &found(None), now + LOOK_INTERVAL), RejoinStep::Refresh);
        assert_eq!(unread.look(&INPUTS, &found(None), now + LOOK_INTERVAL * 2), RejoinStep::Join);
    }

    #[test]
    fn an_input_that_others_have_or_that_is_read_here_is_not_named() {
        let (mut unread, now) = (UnseenInputs::default(), Instant::now());
        unread.assign(assigned(&["payments"]), now);
        let refused = found(Some(RDKafkaErrorCode::TopicAuthorizationFailed));
        assert_eq!(unread.look(&INPUTS, &refused, now), RejoinStep::Nothing);
        assert!(unread.take_due(now + LOG_INTERVAL).is_empty(), "its worker says so, and others have the rest");
    }

    #[test]
    fn without_an_assignment_a_deleted_input_is_named_once_the_member_has_missed_it() {
        let (mut unread, now) = (UnseenInputs::default(), Instant::now());
        unread.assign(assigned(&INPUTS), now);
        assert_eq!(unread.look(&INPUTS, &found(None), now), RejoinStep::Nothing);
        unread.revoke();
        assert!(!unread.is_due(now + LOG_INTERVAL));
        unread.suspect(now + LOG_INTERVAL);
        assert!(unread.is_due(now + LOG_INTERVAL));
        let mut deleted = found(None);
        deleted.remove("stock");
        assert_eq!(unread.look(&INPUTS, &deleted, now + LOG_INTERVAL), RejoinStep::Nothing);
        assert_eq!(unread.take_due(now + LOG_INTERVAL), [("stock", UNKNOWN)]);
    }

    #[test]
    fn an_input_that_the_member_has_missed_before_a_rebalance_is_named_at_the_first_look_behind_it() {
        let (mut unread, began) = (UnseenInputs::default(), Instant::now());
        unread.assign(assigned(&INPUTS), began);
        unread.suspect(began + LOOK_INTERVAL);
        unread.revoke();
        unread.assign(assigned(&["orders", "payments"]), began + LOOK_INTERVAL);
        let mut deleted = found(None);
        deleted.remove("stock");
        assert_eq!(unread.look(&INPUTS, &deleted, began + LOOK_INTERVAL), RejoinStep::Nothing);
        assert_eq!(unread.take_due(began + LOOK_INTERVAL), [("stock", UNKNOWN)]);
        assert!(unread.is_named());
    }
}

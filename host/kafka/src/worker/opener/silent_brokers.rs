//! Brokers that don't answer. A request to one takes as long as a request may take, and again for each of its tasks:
//! tasks of other brokers are asked about first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a broker counts as silent after a request in vain. It may be back before: then its tasks come last a few
/// times.
const SILENT_TTL: Duration = Duration::from_secs(30);

/// The brokers that didn't answer, by id, with the time.
#[derive(Default)]
pub(super) struct SilentBrokers(BTreeMap<i32, Instant>);

impl SilentBrokers {
    /// A request to this broker was in vain, and took long.
    pub(super) fn add(&mut self, broker: i32, now: Instant) {
        self.0.insert(broker, now);
    }

    /// Whether one of these brokers hasn't answered of late.
    pub(super) fn is_among(&self, mut brokers: impl Iterator<Item = i32>, now: Instant) -> bool {
        brokers.any(|broker| self.0.get(&broker).is_some_and(|at| now.duration_since(*at) < SILENT_TTL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_a_broker_that_did_not_answer_come_behind_those_of_others_for_a_while() {
        let (mut silent, now) = (SilentBrokers::default(), Instant::now());
        silent.add(2, now);
        let mut tasks = [("a", vec![1, 2]), ("b", vec![2]), ("c", vec![1]), ("d", vec![3, 1])];
        tasks.sort_by_key(|(_, brokers)| silent.is_among(brokers.iter().copied(), now));
        assert_eq!(tasks.iter().map(|(task, _)| *task).collect::<String>(), "cdab");
        assert!(!silent.is_among([2].into_iter(), now + SILENT_TTL));
    }
}

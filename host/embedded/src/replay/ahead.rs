//! Which records of a replay are ahead of the clock, where a source has `max-ahead`.
//!
//! In `run`, the wall clock says whether a record is too far ahead. In a replay, the records move the clock: if each
//! did, none could be ahead of it. So a record that is further ahead than its source allows waits for the next three
//! records. If most of them are as far ahead, time has passed, and the record moves the clock. Otherwise its timestamp
//! is wrong: the clock stays, and the source handles the record as one that is too far ahead, as it does where no
//! record follows. Only records decide, so every replay decides alike.

use std::collections::{BTreeMap, VecDeque};

use millrace_engine::topology::{EventTime, Operator, TopicId, Topology};

use super::ReplayRecord;

/// Number of records after a record that decide about it.
const WITNESSES: usize = 3;

/// Finds out which records are ahead of the clock; records wait in it until that is known.
pub(crate) struct AheadDetector {
    /// How far ahead of the clock the records of each topic may be, if their own timestamp is the event time.
    limits: BTreeMap<TopicId, i64>,
    records: VecDeque<ReplayRecord>,
}

impl AheadDetector {
    pub(crate) fn new(topology: &Topology) -> Self {
        let nodes = topology.subtopologies.iter().flat_map(|part| &part.nodes);
        let limit = nodes.filter_map(|node| match &node.operator {
            Operator::Source { topic, timestamp: EventTime::Record, ahead: Some(ahead), .. } => {
                Some((*topic, ahead.limit))
            }
            _ => None,
        });
        Self { limits: limit.collect(), records: VecDeque::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn push(&mut self, record: ReplayRecord) {
        self.records.push_back(record);
    }

    /// The next record, with whether it is ahead of the clock; `None` while that is unknown.
    pub(crate) fn next(&mut self, clock: i64) -> Option<(ReplayRecord, bool)> {
        if self.first_is_ahead(clock)? && self.records.len() <= WITNESSES {
            return None;
        }
        self.last(clock)
    }

    /// The same at the end of the input: the records that have come decide.
    pub(crate) fn last(&mut self, clock: i64) -> Option<(ReplayRecord, bool)> {
        let is_ahead = self.first_is_ahead(clock)? && !self.is_confirmed(clock);
        Some((self.records.pop_front()?, is_ahead))
    }

    /// Whether the first record is further ahead of the clock than its source allows.
    fn first_is_ahead(&self, clock: i64) -> Option<bool> {
        let first = self.records.front()?;
        let limit = self.limits.get(&first.topic).filter(|_| clock != i64::MIN);
        Some(limit.zip(first.timestamp).is_some_and(|(limit, time)| time > clock.saturating_add(*limit)))
    }

    /// Whether most of the records that decide about the first one are as far ahead.
    fn is_confirmed(&self, clock: i64) -> bool {
        let Some(limit) = self.records.front().and_then(|first| self.limits.get(&first.topic)) else { return true };
        let times = self.records.iter().skip(1).take(WITNESSES).filter_map(|record| record.timestamp);
        let (ahead, behind): (Vec<i64>, Vec<i64>) = times.partition(|time| *time > clock.saturating_add(*limit));
        ahead.len() > behind.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of these times that are ahead of the clock by more than ten.
    fn ahead(times: &[i64]) -> Vec<i64> {
        let (topic, mut clock, mut found) = (TopicId(0), i64::MIN, Vec::new());
        let mut records = AheadDetector { limits: [(topic, 10)].into(), records: VecDeque::new() };
        let mut take = |(record, is_ahead): (ReplayRecord, bool)| {
            let time = record.timestamp.unwrap_or(clock);
            if is_ahead {
                found.push(time);
            } else {
                clock = clock.max(time);
            }
            clock
        };
        let mut now = i64::MIN;
        for time in times {
            let (partition, key, value, headers) = (None, None, None, Default::default());
            records.push(ReplayRecord { topic, partition, key, value, timestamp: Some(*time), headers });
            while let Some(next) = records.next(now) {
                now = take(next);
            }
        }
        while let Some(next) = records.last(now) {
            now = take(next);
        }
        found
    }

    #[test]
    fn a_single_record_from_the_future_is_ahead_and_records_after_a_pause_are_not() {
        assert_eq!(ahead(&[1, 2, 3, 1_000, 4, 5, 6]), [1_000]);
        assert_eq!(ahead(&[1, 2, 3, 1_000, 1_001, 1_000, 1_005]), [0; 0]);
        assert_eq!(ahead(&[1, 2, 1_000, 900, 3, 4, 5, 6]), [1_000, 900]);
        assert_eq!(ahead(&[1, 11, 1, 21]), [0; 0], "no further than the limit");
    }

    #[test]
    fn the_first_record_is_never_ahead_and_the_last_one_is_if_nothing_confirms_it() {
        assert_eq!(ahead(&[1, 2, 1_000]), [1_000]);
        assert_eq!(ahead(&[1_000, 1, 2]), [0; 0]);
        assert_eq!(ahead(&[1, 1_000, 1_001]), [0; 0], "its witness is as late as it is");
    }
}

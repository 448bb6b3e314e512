//! Which records of a replay are ahead of the clock, where a source has `max-ahead`.
//!
//! When `run` takes a record, its own clock says what is too far ahead. A replay has no clock but the records: were each
//! to move it, none would ever be ahead of it. So a record that is further ahead than its source allows waits for the next
//! three, and most of these decide: if they are as late as it is, time has passed, and if they are back where the clock
//! was, the record is the one that is wrong. It is then left to the source, and the clock stays. Where nothing comes
//! after it, the clock is believed. That hangs on the records alone, and so is the same each time.

use std::collections::{BTreeMap, VecDeque};

use millrace_engine::topology::{EventTime, Operator, TopicId, Topology};

use super::ReplayRecord;

/// How many records after it decide of one.
const WITNESSES: usize = 3;

/// Records that wait for those after them.
pub(crate) struct Ahead {
    /// How far ahead records of a topic may be, where their own time is the event time.
    limits: BTreeMap<TopicId, i64>,
    records: VecDeque<ReplayRecord>,
}

impl Ahead {
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

    /// The next record of which it is known whether it is ahead of a clock.
    pub(crate) fn next(&mut self, clock: i64) -> Option<(ReplayRecord, bool)> {
        if self.first_is_ahead(clock)? && self.records.len() <= WITNESSES {
            return None;
        }
        self.last(clock)
    }

    /// The next record, where no more come.
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

    /// Whether more of the records after the first one are as far ahead as that than are not.
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

    /// Which of these times are ahead of the others, with a limit of ten.
    fn ahead(times: &[i64]) -> Vec<i64> {
        let (topic, mut clock, mut found) = (TopicId(0), i64::MIN, Vec::new());
        let mut records = Ahead { limits: [(topic, 10)].into(), records: VecDeque::new() };
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
    fn one_record_from_the_future_is_ahead_and_a_pause_is_not() {
        assert_eq!(ahead(&[1, 2, 3, 1_000, 4, 5, 6]), [1_000]);
        assert_eq!(ahead(&[1, 2, 3, 1_000, 1_001, 1_000, 1_005]), [0; 0]);
        assert_eq!(ahead(&[1, 2, 1_000, 900, 3, 4, 5, 6]), [1_000, 900]);
        assert_eq!(ahead(&[1, 11, 1, 21]), [0; 0], "no further than the limit");
    }

    #[test]
    fn at_the_end_the_clock_is_believed_and_the_first_record_always() {
        assert_eq!(ahead(&[1, 2, 1_000]), [1_000]);
        assert_eq!(ahead(&[1_000, 1, 2]), [0; 0]);
        assert_eq!(ahead(&[1, 1_000, 1_001]), [0; 0], "its witness is as late as it is");
    }
}

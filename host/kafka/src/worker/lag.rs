//! The lag of a worker and of an instance.

use std::ops::AddAssign;

use super::{Event, Worker};

/// The lag of an instance in its partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Records to be read and processed; markers of transactions count as records.
    pub records: u64,
    /// Partitions of which no broker has said where they end.
    pub unknown: usize,
    /// Partitions that can't be read: they aren't there, may not be read, or have no leader.
    pub unread: usize,
}

impl AddAssign for Lag {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.unknown += other.unknown;
        self.unread += other.unread;
    }
}

impl Worker {
    /// Publishes how much there is to be read and processed, as far as brokers have said.
    pub(super) fn publish_lag(&mut self) {
        if !self.publisher.take_lag_due() {
            return;
        }
        let mut lag = Lag { unknown: self.awaited.awaited_partitions(&self.shared), ..Lag::default() };
        for active in self.tasks.iter() {
            lag.records += active.task.queued_in_all() as u64;
            for input in active.inputs.iter().filter(|input| input.partition.is_some()) {
                match input.left {
                    Some(left) => lag.records += left.unsigned_abs(),
                    None => lag.unknown += 1,
                }
                lag.unread += usize::from(input.stalled && input.expects_more());
            }
        }
        self.publisher.publish(Event::Lag { worker: self.number, lag });
    }
}

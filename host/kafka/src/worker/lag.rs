//! How far a worker is behind: told about once a second, since it takes a look at each input.

use std::ops::AddAssign;
use std::time::{Duration, Instant};

use super::{Event, Worker};

/// How often it is told.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// How far an instance is behind in its partitions.
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
    /// Tells how much there is to be read and processed, as far as brokers have said.
    pub(super) fn tell_lag(&mut self) {
        if self.lag_told.elapsed() < LAG_INTERVAL {
            return;
        }
        self.lag_told = Instant::now();
        let mut lag = Lag { unknown: self.arrivals.awaited_partitions(&self.shared), ..Lag::default() };
        for seat in &self.seats {
            lag.records += seat.task.queued_in_all() as u64;
            for input in seat.inputs.iter().filter(|input| input.partition.is_some()) {
                match input.left {
                    Some(left) => lag.records += left.unsigned_abs(),
                    None => lag.unknown += 1,
                }
                lag.unread += usize::from(input.stalled && input.expects_more());
            }
        }
        self.tell(Event::Lag { worker: self.number, lag });
    }
}

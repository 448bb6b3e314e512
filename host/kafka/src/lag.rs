//! How far an instance is behind.

use std::ops::AddAssign;

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

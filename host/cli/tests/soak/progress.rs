//! Whether partitions get on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a partition may stand still without a reason.
pub const MOST: Duration = Duration::from_secs(30);

/// A partition of a topic that the app reads.
pub type Place = (String, i32);

/// Where a partition is.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Next offset, as committed.
    pub committed: i64,
    /// End of what is committed by those who write it.
    pub end: i64,
}

impl Position {
    /// Records and markers that aren't processed.
    pub fn lag(&self) -> i64 {
        (self.end - self.committed.max(0)).max(0)
    }
}

/// Looks at positions as time goes by. All times are from the start of the run.
#[derive(Default)]
pub struct Progress {
    moved: BTreeMap<Place, (i64, Duration)>,
    told: BTreeSet<Place>,
    /// The longest that a partition has stood still, with and without a reason.
    pub longest: (Duration, Duration),
}

/// A partition that stands still without a reason.
#[derive(Debug)]
pub struct Standing {
    pub place: Place,
    pub position: Position,
    pub since: Duration,
}

impl Progress {
    /// Takes positions; tells of those that have begun to stand still too long. Up to `excused`, faults explain it.
    pub fn see(&mut self, now: Duration, excused: Duration, positions: &BTreeMap<Place, Position>) -> Vec<Standing> {
        let mut found = Vec::new();
        for (place, position) in positions {
            let moved = self.moved.entry(place.clone()).or_insert((position.committed, now));
            if moved.0 != position.committed || position.lag() == 0 {
                *moved = (position.committed, now);
                self.told.remove(place);
                continue;
            }
            let since = moved.1.max(excused);
            let (whole, unexplained) = (now.saturating_sub(moved.1), now.saturating_sub(since));
            self.longest = (self.longest.0.max(whole), self.longest.1.max(unexplained));
            if unexplained > MOST && self.told.insert(place.clone()) {
                found.push(Standing { place: place.clone(), position: *position, since: moved.1 });
            }
        }
        found
    }

    /// Partitions with a lag that have stood still for so long by now, whatever the reason.
    pub fn standing(&self, now: Duration) -> usize {
        self.moved.values().filter(|(_, moved)| now.saturating_sub(*moved) > MOST).count()
    }
}

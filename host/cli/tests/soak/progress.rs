//! Oracle 6: partitions make progress.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::logs::Logs;

/// Time for which a partition may stop without a reason.
pub const MOST: Duration = Duration::from_secs(30);

/// Time for which faults alone explain a stop.
pub const LONGEST: Duration = Duration::from_secs(120);

/// Time limit without progress for the last process to process the rest.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A partition of a topic that the app reads.
pub type Place = (String, i32);

/// Positions of all partitions.
pub type Positions = BTreeMap<Place, Position>;

/// Position of a partition.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Committed offset.
    pub committed: i64,
    /// Last stable offset.
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
    /// The longest that a partition has stood still: at all, and without a fault or a log that explains it.
    pub longest: (Duration, Duration),
}

/// A partition that has stopped without a reason.
#[derive(Debug)]
pub struct Standing {
    pub place: Place,
    pub position: Position,
    pub since: Duration,
}

impl Progress {
    /// Takes positions; tells of those that have begun to stand still too long. Up to `excused`, faults explain it, but
    /// for no longer than [`LONGEST`]; beyond that, only the logs do.
    pub fn see(&mut self, now: Duration, excused: Duration, positions: &Positions, logs: &Logs) -> Vec<Standing> {
        let mut found = Vec::new();
        for (place, position) in positions {
            let moved = self.moved.entry(place.clone()).or_insert((position.committed, now));
            if moved.0 != position.committed || position.lag() == 0 {
                *moved = (position.committed, now);
                self.told.remove(place);
                continue;
            }
            let since = moved.1;
            let whole = now.saturating_sub(since);
            self.longest.0 = self.longest.0.max(whole);
            let unexplained = now.saturating_sub(since.max(excused));
            if (unexplained <= MOST && whole <= LONGEST) || logs.reason(place, since, now).is_some() {
                continue;
            }
            self.longest.1 = self.longest.1.max(whole);
            if self.told.insert(place.clone()) {
                found.push(Standing { place: place.clone(), position: *position, since });
            }
        }
        found
    }

    /// Partitions with a lag that have stood still for so long by now, whatever the reason.
    pub fn standing(&self, now: Duration) -> usize {
        self.moved.values().filter(|(_, moved)| now.saturating_sub(*moved) > MOST).count()
    }
}

/// Whether what is left becomes less, until nothing is. Times are from the first look.
#[derive(Default)]
pub struct Backlog {
    least: Option<(i64, Duration)>,
}

impl Backlog {
    /// Takes positions, or why they can't be had. When it is over, the partitions with something left in words.
    pub fn see(&mut self, now: Duration, positions: Result<Positions, String>) -> Option<Vec<String>> {
        let lag = positions.as_ref().ok().map(|positions| positions.values().map(Position::lag).sum::<i64>());
        let is_known = positions.as_ref().is_ok_and(|positions| !positions.is_empty());
        if is_known && lag == Some(0) {
            return Some(Vec::new());
        }
        if let Some(lag) = lag.filter(|lag| is_known && self.least.is_none_or(|(least, _)| *lag < least)) {
            self.least = Some((lag, now));
        }
        let moved = self.least.map_or(Duration::ZERO, |(_, moved)| moved);
        (now.saturating_sub(moved) > PATIENCE).then(|| match positions {
            Err(text) => vec![format!("positions can't be had: {text}")],
            Ok(positions) if positions.is_empty() => vec!["the app's topics can't be seen".into()],
            Ok(positions) => positions.iter().filter(|(_, at)| at.lag() > 0).map(left).collect(),
        })
    }
}

fn left(((topic, partition), at): (&Place, &Position)) -> String {
    format!("`{topic}` partition {partition} is processed up to {}, and its end is {}", at.committed, at.end)
}

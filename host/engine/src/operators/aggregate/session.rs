//! Session windows: a record is merged with the sessions within its gap.
//!
//! A record is late if its session, merged with those within the gap, has closed. Null values are aggregated like
//! others, as in Kafka Streams. The step first emits a tombstone for each absorbed session, with that session's end as
//! its time.

use super::plan::PlannedRecord;
use super::planner::{Planner, Wanted};
use crate::ports::BackendError;
use crate::record::Window;
use crate::step::Item;

pub(super) fn plan(
    planner: &mut Planner<'_>,
    (number, item): (usize, &Item),
    gap: i64,
) -> Result<PlannedRecord, BackendError> {
    let (mut planned, time) = (PlannedRecord::default(), item.record.timestamp);
    let Some(key) = &item.record.key else { return Ok(planned) };
    let (from, latest_start) = (time.saturating_sub(gap).max(0), time.saturating_add(gap));
    // Sessions of a key don't overlap: if one begins too late, so do all that end later.
    let near = |session: Window| if session.start > latest_start { Wanted::Enough } else { Wanted::Yes };
    let found = planner.range(key, (from, i64::MAX), near)?;
    let own = Window { start: time, end: time };
    let merged = found.iter().fold(own, |merged, (session, _)| Window {
        start: merged.start.min(session.start),
        end: merged.end.max(session.end),
    });
    if merged.end < planner.close() {
        planned.late = true;
        return Ok(planned);
    }
    let existed = found.iter().any(|(session, _)| *session == merged);
    if merged != own {
        planned.changes.extend(found.iter().map(|(session, _)| planner.remove(key, *session)));
    }
    let absorbed = found.into_iter().map(|(_, live)| live.state).collect();
    planned.changes.push(planner.add(number, key, (merged, merged.end), None, absorbed, existed));
    Ok(planned)
}

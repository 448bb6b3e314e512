//! Hopping and tumbling windows: a record goes into each window that contains its time, the earliest first.
//!
//! A record is late if all of its windows have closed. Null values are aggregated like others, as in Kafka Streams.

use super::plan::PlannedRecord;
use super::planner::Planner;
use crate::ports::BackendError;
use crate::record::Window;
use crate::step::Item;

pub(super) fn plan(
    planner: &mut Planner<'_>,
    (number, item): (usize, &Item),
    (size, every): (i64, i64),
) -> Result<PlannedRecord, BackendError> {
    let (mut planned, time) = (PlannedRecord::default(), item.record.timestamp);
    let Some(key) = &item.record.key else { return Ok(planned) };
    let every = every.max(1);
    let mut start = time.saturating_sub(size).saturating_add(every).max(0) / every * every;
    while start <= time {
        let window = Window { start, end: start.saturating_add(size) };
        if window.end < planner.close() {
            planned.missed += 1;
        } else {
            let base = planner.find(key, window)?;
            let existed = base.is_some();
            let timestamp = base.as_ref().map_or(time, |live| live.timestamp.max(time));
            planned.changes.push(planner.add(number, key, (window, timestamp), base, vec![], existed));
        }
        let Some(next) = start.checked_add(every) else { break };
        start = next;
    }
    planned.late = planned.changes.is_empty();
    Ok(planned)
}

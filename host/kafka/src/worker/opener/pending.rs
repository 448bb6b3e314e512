//! A task that is being opened, and the log of those that wait for long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::answers::{StartingPoint, TaskOffsets};
use crate::state::lease::RestoreLease;
use crate::state::restore::PartitionTrouble;
use crate::tasks::TaskId;

/// How long to wait before the same is asked again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// A task that waits longer is logged, and again after a while.
const LOG_INTERVALS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// A task that is being opened.
pub(super) struct Pending {
    pub(super) stayed: Option<TaskOffsets>,
    pub(super) step: OpeningStep,
    /// How often it could not be opened yet.
    pub(super) attempts: u32,
    since: Instant,
    pub(super) trouble: Option<PartitionTrouble>,
    logged: Option<Instant>,
    /// Since when every answer says that a changelog has lost records.
    pub(super) lost: Option<Instant>,
}

/// The steps of opening a task.
pub(super) enum OpeningStep {
    /// It is asked about when it is due.
    Waiting { due: Instant },
    /// Its state is being restored to its offsets.
    Restoring { beginning: StartingPoint, _lease: RestoreLease },
}

impl Pending {
    /// A task that is asked about at once.
    pub(super) fn new(stayed: Option<TaskOffsets>, now: Instant) -> Self {
        let step = OpeningStep::Waiting { due: now };
        Self { stayed, step, attempts: 0, since: now, trouble: None, logged: None, lost: None }
    }

    /// It can't be opened yet, and is asked about again, later each time.
    pub(super) fn put_off(&mut self, trouble: PartitionTrouble) {
        let wait = BACKOFF.0.saturating_mul(1 << self.attempts.min(16)).min(BACKOFF.1);
        self.attempts = self.attempts.saturating_add(1);
        self.step = OpeningStep::Waiting { due: Instant::now() + wait };
        self.trouble = Some(trouble);
        self.lost = None;
    }
}

/// Partitions that wait for the same reason.
struct Waiting {
    first: PartitionTrouble,
    seconds: u64,
    partitions: Vec<String>,
}

/// Logs which partitions wait, and the reason: once for all that have the same. `stalled` are tasks whose restoring
/// stands still.
pub(super) fn log_waiting(tasks: &mut BTreeMap<TaskId, Pending>, stalled: &[(TaskId, PartitionTrouble)]) {
    let mut reasons: BTreeMap<String, Waiting> = BTreeMap::new();
    for (task, pending) in tasks {
        let stalled = stalled.iter().find(|(stalled, _)| stalled == task).map(|(_, trouble)| trouble);
        let Some(trouble) = stalled.or(pending.trouble.as_ref()) else { continue };
        if pending.since.elapsed() < LOG_INTERVALS.0
            || pending.logged.is_some_and(|logged| logged.elapsed() < LOG_INTERVALS.1)
        {
            continue;
        }
        pending.logged = Some(Instant::now());
        let seconds = pending.since.elapsed().as_secs();
        let waiting = || Waiting { first: trouble.clone(), seconds, partitions: Vec::new() };
        let reason = reasons.entry(trouble.text.clone()).or_insert_with(waiting);
        reason.partitions.push(format!("{}-{}", trouble.topic, trouble.partition));
    }
    for (reason, Waiting { first: PartitionTrouble { topic, partition, .. }, seconds, partitions }) in reasons {
        tracing::warn!(
            topic,
            partition,
            seconds,
            partitions = partitions.join(", "),
            reason,
            "a partition can't be processed yet, and is tried again: others go on"
        );
    }
}

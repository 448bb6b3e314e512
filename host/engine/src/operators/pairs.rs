//! Calls of the join function, for all kinds of joins.

use bytes::Bytes;

use crate::calls;
use crate::logic::Logic;
use crate::path::Path;
use crate::ports::{BackendError, Pair};
use crate::record::{Headers, Record, Timestamp};
use crate::state::keys::decode_row;
use crate::step::{Parent, Step, TaskError};
use crate::topology::{Call, TableUse};

/// A pair for the join function.
pub(super) struct JoinPair {
    /// The pair's own path: one record may make several pairs.
    pub(super) path: Path,
    pub(super) left: Option<Record>,
    pub(super) right: Option<Record>,
    /// The record that results inherit from: the shared key, the time of the result, and the headers of the record that
    /// made the pair.
    pub(super) result: Record,
}

/// Pairs that wait for the next call.
#[derive(Default)]
pub(super) struct PendingPairs {
    pairs: Vec<JoinPair>,
    bytes: usize,
}

impl PendingPairs {
    pub(super) fn push(&mut self, pair: JoinPair) {
        self.bytes += pair.left.iter().chain(&pair.right).map(Record::size).sum::<usize>();
        self.pairs.push(pair);
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether the next call is full.
    pub(super) fn is_full(&self, step: &Step<'_>) -> bool {
        self.pairs.len() >= step.call_size() || self.bytes >= calls::MAX_CALL_BYTES
    }
}

/// Calls the join function for all pairs, and applies the outcomes. `names` are the names of the two inputs.
pub(super) fn join(
    step: &mut Step<'_>,
    pending: &mut PendingPairs,
    names: [&str; 2],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let PendingPairs { pairs: joined, .. } = std::mem::take(pending);
    if joined.is_empty() {
        return Ok(());
    }
    let function = step.function(call)?;
    let [left, right] = names;
    let pairs: Vec<Pair<'_>> = joined
        .iter()
        .map(|pair| Pair {
            key: pair.result.key.as_deref(),
            left: pair.left.as_ref().map(|record| record.message(left)),
            right: pair.right.as_ref().map(|record| record.message(right)),
            timestamp: pair.result.timestamp,
        })
        .collect();
    let size = |pair: &Pair<'_>| {
        let sides = pair.left.iter().chain(&pair.right);
        sides.map(|side| calls::bytes_of(side, &call.manifest)).sum()
    };
    let called =
        calls::outcomes(&pairs, step.options.batch, size, |piece, attempt| logic.join(function, piece, attempt));
    let called = called.map_err(|error| step.host_error(error))?;
    step.effects(called.effects);
    for (pair, outcome) in joined.iter().zip(called.result) {
        step.apply_outcome(&Parent { path: &pair.path, record: &pair.result }, outcome, call)?;
    }
    step.adapt_call_size(joined.len());
    Ok(())
}

/// The row of a table as it was just before `path`.
pub(super) fn row(step: &Step<'_>, table: &TableUse, key: &Bytes, path: &Path) -> Result<Option<Record>, TaskError> {
    let Some(row) = step.progress.versions.read(step.state, table.store, key, path)? else { return Ok(None) };
    let (timestamp, value) = decoded(&row, &table.name)?;
    let (key, value) = (Some(key.clone()), Some(value));
    Ok(Some(Record { key, value, timestamp, headers: Headers::EMPTY, window: None }))
}

/// Timestamp and value of a row of this table.
pub(super) fn decoded(row: &Bytes, table: &str) -> Result<(Timestamp, Bytes), TaskError> {
    let row = decode_row(row);
    let reason = "a row is shorter than its header";
    Ok(row.ok_or_else(|| BackendError { store: table.into(), reason: reason.into() })?)
}

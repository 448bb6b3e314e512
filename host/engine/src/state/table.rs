//! Tables within a run: what readers see while later records of the same run have already been written.
//!
//! A table's node processes all of a run's rows before the nodes that look rows up. Each write keeps its path, and a
//! reader sees the last write before its own path. So a run is never taken apart for a look-up.

use bytes::Bytes;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::TaskState;
use crate::path::Path;
use crate::ports::{BackendError, StoreId};

/// A row with the path that wrote it; `None`: deleted.
type Version = (Path, Option<Bytes>);

/// The writes of a run to tables that other nodes read.
#[derive(Default)]
pub(crate) struct TableVersions {
    rows: HashMap<(StoreId, Bytes), SmallVec<[Version; 1]>>,
}

impl TableVersions {
    /// Writes a row. Rows of a table come in the order of their paths.
    pub(crate) fn write(&mut self, store: StoreId, key: Bytes, path: Path, row: Option<Bytes>) {
        self.rows.entry((store, key)).or_default().push((path, row));
    }

    /// The row as it was just before `path`.
    pub(crate) fn read(
        &self,
        state: &TaskState,
        store: StoreId,
        key: &Bytes,
        path: &Path,
    ) -> Result<Option<Bytes>, BackendError> {
        let versions = self.rows.get(&(store, key.clone())).map(SmallVec::as_slice).unwrap_or_default();
        match versions.iter().rev().find(|(written, _)| written < path) {
            Some((_, row)) => Ok(row.clone()),
            None => state.get(store, key),
        }
    }

    /// All writes, those of a row in their order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (StoreId, &Bytes, &Path, &Option<Bytes>)> {
        let rows = self.rows.iter();
        rows.flat_map(|((store, key), versions)| versions.iter().map(move |(path, row)| (*store, key, path, row)))
    }

    /// Moves the last version of each row into the transaction, at the end of the run.
    pub(crate) fn flush(self, state: &mut TaskState) {
        for ((store, key), mut versions) in self.rows {
            if let Some((_, row)) = versions.pop() {
                state.put(store, key, row);
            }
        }
    }

    /// Moves into the transaction, at the end of a pass, what nobody sees from before any more: of the versions before the
    /// lowest place at which something waits, the last of each row. A join of tables also reads at the place of its item's
    /// parent, as it was before the parent's own write: what was written at a place that leads to the lowest one stays.
    pub(crate) fn flush_before(&mut self, lowest: &Path, state: &mut TaskState) {
        self.rows.retain(|(store, key), versions| {
            let is_past = |(path, _): &&Version| path < lowest && !path.leads_to(lowest);
            let past = versions.iter().take_while(is_past).count();
            if let Some((_, row)) = versions.drain(..past).next_back() {
                state.put(*store, key.clone(), row);
            }
            !versions.is_empty()
        });
    }

    /// Moves the last version of each row of a table that nobody reads any more into the transaction.
    pub(crate) fn flush_unread(&mut self, state: &mut TaskState, is_read: impl Fn(StoreId) -> bool) {
        self.rows.retain(|(store, key), versions| {
            let keep = is_read(*store);
            if !keep && let Some((_, row)) = versions.pop() {
                state.put(*store, key.clone(), row);
            }
            keep
        });
    }
}

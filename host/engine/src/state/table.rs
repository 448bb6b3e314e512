//! Versions of table rows within a run, for readers whose paths come before later writes of the same run.
//!
//! A table's node processes all rows of a run before other nodes read the table. Each write keeps its path, and a
//! reader sees the last write before its own path. So a lookup never splits a run.

use bytes::Bytes;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::TaskState;
use crate::path::Path;
use crate::ports::{BackendError, StoreId};

/// A row, `None` if deleted, with the path of its write.
type Version = (Path, Option<Bytes>);

/// A run's writes to tables that other nodes read.
#[derive(Default)]
pub(crate) struct TableVersions {
    rows: HashMap<(StoreId, Bytes), SmallVec<[Version; 1]>>,
}

impl TableVersions {
    /// Writes a row. The caller writes rows in the order of their paths.
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

    /// All writes; those of a row in their order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (StoreId, &Bytes, &Path, &Option<Bytes>)> {
        let rows = self.rows.iter();
        rows.flat_map(|((store, key), versions)| versions.iter().map(move |(path, row)| (*store, key, path, row)))
    }

    /// Writes the last version of each row to the transaction, at the end of the run.
    pub(crate) fn flush(self, state: &mut TaskState) {
        for ((store, key), mut versions) in self.rows {
            if let Some((_, row)) = versions.pop() {
                state.put(store, key, row);
            }
        }
    }

    /// Writes to the transaction, at the end of a pass, the last version of each row before `lowest`, the lowest queued
    /// path: no reader needs an older version. A join of tables also reads at the path of its item's parent, before the
    /// parent's own write, so versions at ancestors of `lowest` stay.
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

    /// Writes the last version of each row to the transaction, for tables that no node reads any more.
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

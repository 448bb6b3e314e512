//! Committed changes of a window store that aren't in the local state yet.
//!
//! Records of a join expire soon, and while all of them are in memory the task doesn't read them on disk. So they are
//! kept back, and most never get there: from time to time, those that are still alive are written. The position stays
//! behind with them: after a crash, the changelog has the rest.
//!
//! If the task reads the store after all, because its records don't fit into memory any more, they are written first.
//! From then on nothing is kept back.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_engine::ports::{Backend, BackendError, Scan, StoreChanges, StoreId};
use millrace_engine::state::keys::decode_window_key;
use millrace_store::{Batch, Database, Durability, TaskBackend};

use crate::error::Error;
use crate::state::positions::Position;

/// The longest that something has no place on disk.
const UNFLUSHED_TTL: Duration = Duration::from_secs(30);

/// Memory of an entry beside its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 96;

/// The changes of a store's partition that are kept back.
#[derive(Clone)]
pub(crate) struct PostponedWrites {
    /// Beside the lock: what is read of other stores doesn't need it.
    store: StoreId,
    kept: Arc<Mutex<PostponedChanges>>,
}

struct PostponedChanges {
    changes: StoreChanges,
    partition: u32,
    bytes: usize,
    /// Which position they reach, and its key.
    position: Option<Position>,
    key: Vec<u8>,
    /// Whether anything is kept back.
    any: bool,
    /// Since when there is anything that the database may not have on disk, and how many changes.
    unflushed: Option<Instant>,
    changed: u64,
    /// Whether the store is read.
    read: bool,
    /// Why it couldn't be written when it was to be read.
    failed: Option<Error>,
}

impl PostponedWrites {
    /// Nothing yet, of a store whose position has this key.
    pub(crate) fn new(store: StoreId, partition: u32, key: Vec<u8>) -> Self {
        let changes = StoreChanges { store, entries: Vec::new(), expire_before: None };
        let kept = PostponedChanges {
            changes,
            partition,
            bytes: 0,
            position: None,
            key,
            any: false,
            unflushed: None,
            changed: 0,
            read: false,
            failed: None,
        };
        Self { store, kept: Arc::new(Mutex::new(kept)) }
    }

    fn kept(&self) -> MutexGuard<'_, PostponedChanges> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps changes back, with the position that they reach. False if the store is read: then they are to be written.
    pub(crate) fn keep(&self, changes: &StoreChanges, position: Option<Position>) -> bool {
        let mut kept = self.kept();
        if kept.read {
            return false;
        }
        kept.any = true;
        kept.unflushed.get_or_insert_with(Instant::now);
        kept.changed += changes.entries.len() as u64;
        kept.bytes += changes.entries.iter().map(cost).sum::<usize>();
        kept.changes.entries.extend_from_slice(&changes.entries);
        kept.changes.expire_before = changes.expire_before.or(kept.changes.expire_before);
        kept.position = position.or(kept.position.take());
        true
    }

    /// Memory of the changes that are kept back, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// Whether anything has been without a place on disk for long enough.
    pub(crate) fn is_old(&self) -> bool {
        self.kept().unflushed.is_some_and(|since| since.elapsed() >= UNFLUSHED_TTL)
    }

    /// How many changes may have no place on disk.
    pub(crate) fn changes(&self) -> u64 {
        self.kept().changed
    }

    /// All of them get one.
    pub(crate) fn flushed(&self) {
        let mut kept = self.kept();
        kept.unflushed = None;
        kept.changed = 0;
    }

    /// Why it couldn't be written when a task was to read it, if that happened: the task only knows that it can't read.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.kept().failed.take()
    }

    /// Drops expired entries, and all but the last entry of each key.
    pub(crate) fn prune(&self) {
        self.kept().prune();
    }

    /// Moves everything into a batch, with the position. Drops it where the state has come further by now: then another
    /// worker has the task.
    pub(crate) fn write(&self, database: &Database, batch: &mut Batch) -> Result<(), Error> {
        let mut kept = self.kept();
        kept.prune();
        kept.write(database, batch)
    }
}

impl PostponedChanges {
    fn prune(&mut self) {
        let horizons = self.changes.expire_before;
        let is_live = |key: &[u8]| match (decode_window_key(key), horizons) {
            (Some((part, _, time, _)), Some(horizons)) => {
                horizons.get(usize::from(part)).is_none_or(|horizon| time >= *horizon)
            }
            _ => true,
        };
        let mut later = HashSet::new();
        let mut live: Vec<_> = std::mem::take(&mut self.changes.entries);
        live.reverse();
        live.retain(|(key, _)| is_live(key) && later.insert(key.clone()));
        live.reverse();
        self.bytes = live.iter().map(cost).sum();
        self.changes.entries = live;
    }

    fn write(&mut self, database: &Database, batch: &mut Batch) -> Result<(), Error> {
        if !std::mem::take(&mut self.any) {
            return Ok(());
        }
        let written = Position::read(database, &self.key)?;
        let is_behind = |own: &Position| written.as_ref().is_some_and(|written| written.next > own.next);
        if !self.position.as_ref().is_some_and(is_behind) {
            batch.apply(&self.changes, self.partition)?;
            if let Some(position) = &self.position {
                position.write(batch, self.changes.store, &self.key)?;
            }
        }
        self.position = None;
        self.changes.entries = Vec::new();
        self.changes.expire_before = None;
        self.bytes = 0;
        Ok(())
    }
}

fn cost((key, value): &(Bytes, Option<Bytes>)) -> usize {
    key.len() + value.as_ref().map_or(0, Bytes::len) + ENTRY_OVERHEAD_BYTES
}

/// The committed state of a task, with its changes that are kept back.
pub(crate) struct CatchUpBackend {
    pub(crate) database: Arc<Database>,
    pub(crate) written: TaskBackend,
    pub(crate) postponed: Vec<PostponedWrites>,
}

impl CatchUpBackend {
    /// Writes the changes of a store that are kept back, before the store is read.
    fn catch_up(&self, store: StoreId) -> Result<(), BackendError> {
        for postponed in self.postponed.iter().filter(|postponed| postponed.store == store) {
            let mut kept = postponed.kept();
            if !kept.any {
                continue;
            }
            kept.read = true;
            let mut batch = Batch::new(&self.database);
            let written = kept
                .write(&self.database, &mut batch)
                .and_then(|()| Ok(self.database.write(batch, Durability::Buffered)?));
            if let Err(error) = written {
                let reason = error.to_string();
                kept.failed = Some(error);
                return Err(BackendError { store: store.0.to_string(), reason });
            }
        }
        Ok(())
    }
}

impl Backend for CatchUpBackend {
    fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.catch_up(store)?;
        self.written.get(store, key)
    }

    fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        self.catch_up(store)?;
        self.written.scan(store, from, to, visit)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use millrace_engine::manifest::KeyCodec;
    use millrace_engine::state::keys::{CLOCK_KEY, part, window_key};
    use millrace_engine::topology::{StoreKind, StoreSpec};
    use millrace_store::{Family, OpenOptions, Shape};

    use super::*;
    use crate::state::folder::POSITIONS;

    const JOIN: StoreId = StoreId(0);

    fn open(folder: &std::path::Path) -> Arc<Database> {
        let kind = StoreKind::WindowRecords { retention: 10 };
        let join = StoreSpec { name: "join".into(), kind, key: KeyCodec::Bytes, queryable: false, subtopology: 0 };
        let family = [Family { name: POSITIONS, shape: Shape::Entries }];
        let options = OpenOptions { families: &family, ..OpenOptions::new(std::slice::from_ref(&join)) };
        Arc::new(Database::open(folder, &options).unwrap())
    }

    fn left(time: i64) -> Bytes {
        window_key(part::LEFT, b"key", time, 0)
    }

    fn changes(entries: &[(Bytes, Option<&'static str>)], horizon: i64) -> StoreChanges {
        let entries = entries.iter().map(|(key, value)| (key.clone(), value.map(Bytes::from))).collect();
        StoreChanges { store: JOIN, entries, expire_before: Some([horizon, horizon]) }
    }

    fn at(next: i64) -> Option<Position> {
        Some(Position { topic: "id".into(), next, at: 0 })
    }

    fn late(database: &Arc<Database>, postponed: &PostponedWrites) -> CatchUpBackend {
        CatchUpBackend {
            database: Arc::clone(database),
            written: database.backend(0),
            postponed: vec![postponed.clone()],
        }
    }

    #[test]
    fn only_entries_that_are_alive_at_the_end_are_written_with_the_last_position() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        let postponed = PostponedWrites::new(JOIN, 0, b"join/0".to_vec());
        let clock = |time| (CLOCK_KEY, Some(time));
        assert!(postponed.keep(&changes(&[(left(1), Some("a")), (left(5), Some("b")), clock("5")], 0), at(3)));
        assert!(postponed.keep(&changes(&[(left(9), Some("c")), (left(5), None), clock("9")], 4), at(6)));
        assert_eq!(Position::read(&database, b"join/0").unwrap(), None);

        let before = postponed.bytes();
        postponed.prune();
        assert!(postponed.bytes() < before);
        let mut batch = Batch::new(&database);
        postponed.write(&database, &mut batch).unwrap();
        database.write(batch, Durability::Buffered).unwrap();
        assert_eq!(postponed.bytes(), 0);
        let (written, value) = (database.backend(0), |text| Some(Bytes::from_static(text)));
        assert_eq!(written.get(JOIN, &left(1)).unwrap(), None, "expired");
        assert_eq!(written.get(JOIN, &left(5)).unwrap(), None, "deleted");
        assert_eq!(written.get(JOIN, &left(9)).unwrap(), value(b"c"));
        assert_eq!(written.get(JOIN, &CLOCK_KEY).unwrap(), value(b"9"));
        assert_eq!(Position::read(&database, b"join/0").unwrap(), at(6));
    }

    #[test]
    fn a_deletion_of_an_entry_that_was_written_before_is_written_too() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        let postponed = PostponedWrites::new(JOIN, 0, b"join/0".to_vec());
        for value in [Some("a"), None] {
            postponed.keep(&changes(&[(left(5), value)], 0), at(1));
            let mut batch = Batch::new(&database);
            postponed.write(&database, &mut batch).unwrap();
            database.write(batch, Durability::Buffered).unwrap();
            assert_eq!(database.backend(0).get(JOIN, &left(5)).unwrap().is_some(), value.is_some());
        }
    }

    #[test]
    fn postponed_changes_that_the_state_is_ahead_of_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        let [late, successor] = [(); 2].map(|()| PostponedWrites::new(JOIN, 0, b"join/0".to_vec()));
        late.keep(&changes(&[(left(5), Some("old"))], 0), at(3));
        successor.keep(&changes(&[(left(5), None), (left(6), Some("new"))], 0), at(7));
        for postponed in [successor, late] {
            let mut batch = Batch::new(&database);
            postponed.write(&database, &mut batch).unwrap();
            database.write(batch, Durability::Buffered).unwrap();
        }
        assert_eq!(Position::read(&database, b"join/0").unwrap(), at(7));
        assert_eq!(database.backend(0).get(JOIN, &left(5)).unwrap(), None);
        assert!(database.backend(0).get(JOIN, &left(6)).unwrap().is_some());
    }

    #[test]
    fn a_read_sees_all_postponed_changes_and_no_change_is_postponed_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        let postponed = PostponedWrites::new(JOIN, 0, b"join/0".to_vec());
        let backend = late(&database, &postponed);
        assert_eq!(backend.get(JOIN, &left(5)).unwrap(), None);
        assert!(postponed.keep(&changes(&[(left(5), Some("a"))], 0), at(1)), "nothing was there to be missed");
        assert_eq!(backend.get(JOIN, &left(5)).unwrap(), Some(Bytes::from_static(b"a")));
        assert_eq!(Position::read(&database, b"join/0").unwrap(), at(1));
        assert!(!postponed.keep(&changes(&[(left(6), Some("b"))], 0), at(2)));
        let mut seen = 0;
        backend
            .scan(JOIN, &[], None, &mut |_, _| {
                seen += 1;
                Scan::Continue
            })
            .unwrap();
        assert_eq!(seen, 1);
    }
}

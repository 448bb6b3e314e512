//! What is expired in window stores: a watermark per store, partition and part of its keys, and the compaction filter
//! that drops what lies below it.
//!
//! Correctness never depends on the filter, as the engine checks times when it reads. But it must not run ahead of what
//! comes back after a power failure: stream time may then be that of an earlier write, and everything that was alive at
//! that time is needed. So a watermark is published to the filter only once what was written with it is durable; or at
//! once where there is no write-ahead log, and who opens the database replays all that was committed, time included.
//!
//! Watermarks don't outlive the process. The windows of a pipeline may be wider when it runs again: then what comes is
//! alive although it lies below the old watermark. The first writes of a task say anew what has expired. What was dropped
//! before stays so.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::sync::{Arc, PoisonError, RwLock};

use millrace_engine::ports::Horizons;
use millrace_engine::state::keys::decode_window_key;
use rocksdb::CompactionDecision;
use rocksdb::compaction_filter::CompactionFilter;
use rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};

/// The watermarks of one store by partition: entries with an earlier timestamp are expired.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watermarks(Arc<RwLock<BTreeMap<u32, Horizons>>>);

impl Watermarks {
    /// Moves a watermark on; never back.
    pub(crate) fn advance(&self, partition: u32, before: Horizons) {
        let mut marks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mark = marks.entry(partition).or_insert(before);
        mark.iter_mut().zip(before).for_each(|(mark, before)| *mark = before.max(*mark));
    }

    /// Forgets a watermark: what lies below it may be alive again.
    pub(crate) fn forget(&self, partition: u32) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    pub(crate) fn get(&self, partition: u32) -> Option<Horizons> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&partition).copied()
    }

    fn snapshot(&self) -> BTreeMap<u32, Horizons> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Watermarks that are written, but not durable yet.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    marks: Vec<Mark>,
    /// Number of the next mark.
    next: u64,
}

/// A watermark of a store's partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) store: usize,
    pub(crate) partition: u32,
    pub(crate) before: Horizons,
    number: u64,
}

impl Pending {
    pub(crate) fn push(&mut self, store: usize, partition: u32, before: Horizons) {
        self.marks.push(Mark { store, partition, before, number: self.next });
        self.next += 1;
    }

    /// Forgets the marks of a store's partition.
    pub(crate) fn forget(&mut self, store: usize, partition: u32) {
        self.marks.retain(|mark| (mark.store, mark.partition) != (store, partition));
    }

    /// A number that all marks so far are below.
    pub(crate) fn so_far(&self) -> u64 {
        self.next
    }

    /// Takes the marks below a number.
    pub(crate) fn take(&mut self, below: u64) -> Vec<Mark> {
        let (taken, left) = self.marks.drain(..).partition(|mark| mark.number < below);
        self.marks = left;
        taken
    }
}

/// Makes a filter for each compaction of a window store.
pub(crate) struct ExpiryFactory(pub(crate) Watermarks);

impl CompactionFilterFactory for ExpiryFactory {
    type Filter = ExpiryFilter;

    fn create(&mut self, _context: CompactionFilterContext) -> ExpiryFilter {
        ExpiryFilter(self.0.snapshot())
    }

    fn name(&self) -> &CStr {
        c"millrace.expiry"
    }
}

/// Drops expired entries, by the watermarks as they were when the compaction began.
pub(crate) struct ExpiryFilter(BTreeMap<u32, Horizons>);

impl ExpiryFilter {
    /// What waits for a match has another form of key, and so never expires.
    fn is_expired(&self, key: &[u8]) -> Option<bool> {
        let (partition, entry) = key.split_first_chunk()?;
        let watermark = self.0.get(&u32::from_be_bytes(*partition))?;
        let (part, _, timestamp, _) = decode_window_key(entry)?;
        Some(timestamp < *watermark.get(usize::from(part))?)
    }
}

impl CompactionFilter for ExpiryFilter {
    fn filter(&mut self, _level: u32, key: &[u8], _value: &[u8]) -> CompactionDecision {
        match self.is_expired(key) {
            Some(true) => CompactionDecision::Remove,
            _ => CompactionDecision::Keep,
        }
    }

    fn name(&self) -> &CStr {
        c"millrace.expiry"
    }
}

//! Expiry in window stores: watermarks for each store, partition and part of its keys, and the compaction filter that
//! drops entries below them.
//!
//! Correct results don't need the filter: the engine checks timestamps when it reads. But the filter must not drop
//! entries that are needed after a power failure, when stream time may go back to that of an earlier write. So the
//! filter gets a watermark only when the write with it is durable. For a store without a write-ahead log it gets the
//! watermark at once: the driver restores that store from its changelog, with its stream time.
//!
//! Watermarks end with the process: when the pipeline runs again, its windows may be wider, and entries below an old
//! watermark aren't expired. The first writes of a task set the watermarks again. Entries that were dropped stay
//! dropped.

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
    /// Raises a watermark; a lower one has no effect.
    pub(crate) fn advance(&self, partition: u32, before: Horizons) {
        let mut marks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mark = marks.entry(partition).or_insert(before);
        mark.iter_mut().zip(before).for_each(|(mark, before)| *mark = before.max(*mark));
    }

    /// Removes a watermark: entries below it may not be expired any more.
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

/// Watermarks of writes that aren't durable yet.
#[derive(Debug, Default)]
pub(crate) struct PendingWatermarks {
    marks: Vec<PendingWatermark>,
    /// Number of the next watermark.
    next: u64,
}

/// A watermark of a store's partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingWatermark {
    pub(crate) store: usize,
    pub(crate) partition: u32,
    pub(crate) before: Horizons,
    number: u64,
}

impl PendingWatermarks {
    pub(crate) fn push(&mut self, store: usize, partition: u32, before: Horizons) {
        self.marks.push(PendingWatermark { store, partition, before, number: self.next });
        self.next += 1;
    }

    /// Removes the watermarks of a store's partition.
    pub(crate) fn forget(&mut self, store: usize, partition: u32) {
        self.marks.retain(|mark| (mark.store, mark.partition) != (store, partition));
    }

    /// A number above those of all watermarks so far.
    pub(crate) fn so_far(&self) -> u64 {
        self.next
    }

    /// Takes the watermarks below a number.
    pub(crate) fn take(&mut self, below: u64) -> Vec<PendingWatermark> {
        let (taken, left) = self.marks.drain(..).partition(|mark| mark.number < below);
        self.marks = left;
        taken
    }
}

/// Creates a filter for each compaction of a window store.
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
    /// Entries that wait for a match have keys of another form, and never expire.
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

//! Results that wait for the next commit: the last one of each key and window, in the order of their first changes.
//!
//! A commit in the middle of a run doesn't emit them, because the run may still change them. It stores them with the
//! [unfinished run](crate::task) instead.

use std::collections::VecDeque;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::path::Path;
use crate::provenance::Origin;
use crate::record::{Record, Window};
use crate::step::{Item, Step};

/// The results of a step that wait for the next commit.
#[derive(Default)]
pub(crate) struct PendingResults {
    results: VecDeque<PendingResult>,
    /// Number of the first result.
    first: usize,
    /// The number of each key and window's result.
    numbers: HashMap<(Bytes, Option<Window>), usize>,
    bytes: usize,
    /// Sections of results that have been emitted since they were stored.
    stale_sections: Vec<usize>,
}

/// The last result of a key and window.
pub(crate) struct PendingResult {
    pub(crate) key: Bytes,
    pub(crate) window: Option<Window>,
    /// The outputs of the last change, with their ports.
    pub(crate) records: Vec<(usize, Record)>,
    /// Whether the window existed at the last commit, so that a result of it may have been emitted.
    pub(crate) existed: bool,
    /// Origin of the record that made the last change.
    pub(crate) origin: Option<Origin>,
    /// Its section in the unfinished run that the last commit stored, if it has one.
    pub(crate) section: Option<usize>,
    /// Whether it has changed since that commit.
    pub(crate) changed: bool,
}

/// About what a result costs beside its records.
const OVERHEAD: usize = 256;

impl PendingResults {
    /// Whether no result waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Memory of the results in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Replaces the result of a key and window. `existed`: whether the window existed before the change.
    pub(super) fn put(
        &mut self,
        step: &mut Step<'_>,
        item: &Item,
        window: Option<Window>,
        records: Vec<(usize, Record)>,
        existed: bool,
    ) {
        let Some(key) = item.record.key.clone() else { return };
        let origin = step.origin_of(&item.path);
        // Pending results count in the pass's budget: a transaction must not hold more than that.
        step.spend(size(&records));
        let number = self.numbers.get(&(key.clone(), window)).and_then(|number| number.checked_sub(self.first));
        match number.and_then(|number| self.results.get_mut(number)) {
            Some(last) => {
                self.bytes += size(&records);
                self.bytes -= size(&last.records);
                (last.records, last.origin, last.changed) = (records, origin, true);
            }
            None => self.push(PendingResult { key, window, records, existed, origin, section: None, changed: true }),
        }
    }

    /// Appends a result.
    pub(crate) fn push(&mut self, result: PendingResult) {
        self.bytes += OVERHEAD + size(&result.records);
        self.numbers.insert((result.key.clone(), result.window), self.first + self.results.len());
        self.results.push_back(result);
    }

    /// The results that have changed since they were stored.
    pub(crate) fn changed(&mut self) -> impl Iterator<Item = &mut PendingResult> {
        self.results.iter_mut().filter(|result| result.changed)
    }

    /// Takes the sections of results that have been emitted.
    pub(crate) fn take_stale_sections(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.stale_sections)
    }

    /// A window has been merged into another one. Its tombstone is needed only if a result of it may have been emitted.
    pub(super) fn remove(&mut self, step: &mut Step<'_>, item: &Item, window: Window, tombstone: Record) {
        let seen = item.record.key.as_ref().is_none_or(|key| {
            let number =
                self.numbers.get(&(key.clone(), Some(window))).and_then(|number| number.checked_sub(self.first));
            number.and_then(|number| self.results.get(number)).is_none_or(|result| result.existed)
        });
        let records = if seen { vec![(0, tombstone)] } else { Vec::new() };
        self.put(step, item, Some(window), records, seen);
    }

    /// Emits results until the budget of the pass is used up.
    pub(super) fn emit_all(&mut self, step: &mut Step<'_>) {
        while !step.is_full()
            && let Some(result) = self.results.pop_front()
        {
            self.first += 1;
            self.bytes -= OVERHEAD + size(&result.records);
            self.numbers.remove(&(result.key, result.window));
            self.stale_sections.extend(result.section);
            let place = step.next_wake_path();
            let mut child = 0;
            for (port, record) in result.records {
                let path = step.attribute(&place, &record, result.origin.clone());
                step.emit(&path, &mut child, port, record);
            }
            step.spend(0);
        }
        if !self.results.is_empty() {
            let next = step.progress.wake_paths;
            step.set_remainder(&Path::root(0), next, None);
        }
    }
}

fn size(records: &[(usize, Record)]) -> usize {
    records.iter().map(|(_, record)| record.whole_size() + size_of::<Record>()).sum()
}

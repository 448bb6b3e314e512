//! Results that wait for the next commit: of each key and window the last one, in the order of their first changes.
//!
//! A commit in the middle of a run doesn't let them out, since the run may change them. They are
//! [kept](crate::task) with the run then.

use std::collections::VecDeque;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::path::Path;
use crate::provenance::Origin;
use crate::record::Record;
use crate::record::Window;
use crate::step::{Item, Step};

/// The results that wait.
#[derive(Default)]
pub(crate) struct Waiting {
    results: VecDeque<Result>,
    /// Number of the first of them.
    first: usize,
    /// Numbers of the results of a key and window.
    numbers: HashMap<(Bytes, Option<Window>), usize>,
    bytes: usize,
    /// Where results are kept that have been put out since.
    gone: Vec<usize>,
}

/// The last results of a key and window.
pub(crate) struct Result {
    pub(crate) key: Bytes,
    pub(crate) window: Option<Window>,
    /// What the last change has put out, with the ports.
    pub(crate) records: Vec<(usize, Record)>,
    /// Whether the window was there at the last commit, and so may have been put out.
    pub(crate) existed: bool,
    /// Where the record comes from that made the last change.
    pub(crate) origin: Option<Origin>,
    /// Where it is kept with a run that isn't done, if it is.
    pub(crate) kept: Option<usize>,
    /// Whether it has changed since then.
    pub(crate) changed: bool,
}

/// About what a result costs beside its records.
const OVERHEAD: usize = 256;

impl Waiting {
    /// Whether there is something to put out.
    pub(crate) fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Memory it holds, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The results of a change, in place of those of earlier ones. `existed`: whether the window was there before.
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
        // The pass is to end before more waits than a transaction may have.
        step.let_out(size(&records));
        let number = self.numbers.get(&(key.clone(), window)).and_then(|number| number.checked_sub(self.first));
        match number.and_then(|number| self.results.get_mut(number)) {
            Some(last) => {
                self.bytes += size(&records);
                self.bytes -= size(&last.records);
                (last.records, last.origin, last.changed) = (records, origin, true);
            }
            None => self.push(Result { key, window, records, existed, origin, kept: None, changed: true }),
        }
    }

    /// A result behind the others.
    pub(crate) fn push(&mut self, result: Result) {
        self.bytes += OVERHEAD + size(&result.records);
        self.numbers.insert((result.key.clone(), result.window), self.first + self.results.len());
        self.results.push_back(result);
    }

    /// The results that aren't kept as they are now.
    pub(crate) fn changed(&mut self) -> impl Iterator<Item = &mut Result> {
        self.results.iter_mut().filter(|result| result.changed)
    }

    /// Where results were kept that don't wait any more.
    pub(crate) fn take_gone(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.gone)
    }

    /// A window has become part of another one. What nobody has seen needn't be deleted.
    pub(super) fn remove(&mut self, step: &mut Step<'_>, item: &Item, window: Window, tombstone: Record) {
        let seen = item.record.key.as_ref().is_none_or(|key| {
            let number =
                self.numbers.get(&(key.clone(), Some(window))).and_then(|number| number.checked_sub(self.first));
            number.and_then(|number| self.results.get(number)).is_none_or(|result| result.existed)
        });
        let records = if seen { vec![(0, tombstone)] } else { Vec::new() };
        self.put(step, item, Some(window), records, seen);
    }

    /// Puts them out, as many as go into a pass, in a run that was awakened.
    pub(super) fn put_out(&mut self, step: &mut Step<'_>) {
        while !step.is_full()
            && let Some(result) = self.results.pop_front()
        {
            self.first += 1;
            self.bytes -= OVERHEAD + size(&result.records);
            self.numbers.remove(&(result.key, result.window));
            self.gone.extend(result.kept);
            let place = step.at_the_moment();
            let mut child = 0;
            for (port, record) in result.records {
                let path = step.about(&place, &record, result.origin.clone());
                step.emit(&path, &mut child, port, record);
            }
            step.let_out(0);
        }
        if !self.results.is_empty() {
            let next = step.progress.moments;
            step.owe(&Path::root(0), next, None);
        }
    }
}

fn size(records: &[(usize, Record)]) -> usize {
    records.iter().map(|(_, record)| record.whole_size() + size_of::<Record>()).sum()
}

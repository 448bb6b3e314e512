//! Results that wait for the next commit: of each key and window the last one, in the order of their first changes.

use bytes::Bytes;
use hashbrown::HashMap;

use crate::provenance::Origin;
use crate::record::Window;
use crate::task::{Item, Record, Step};

/// The results that wait.
#[derive(Default)]
pub(crate) struct Waiting {
    results: Vec<Result>,
    places: HashMap<(Bytes, Option<Window>), usize>,
    bytes: usize,
}

/// The last results of a key and window.
struct Result {
    /// What the last change has put out, with the ports.
    records: Vec<(usize, Record)>,
    /// Whether the window was there at the last commit, and so may have been put out.
    existed: bool,
    /// Where the record comes from that made the last change.
    origin: Option<Origin>,
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
        let bytes = size(&records);
        // The pass is to end before more waits than a transaction may have.
        step.let_out(bytes);
        self.bytes += bytes;
        let place = *self.places.entry((key, window)).or_insert(self.results.len());
        match self.results.get_mut(place) {
            Some(last) => {
                self.bytes -= size(&last.records);
                (last.records, last.origin) = (records, origin);
            }
            None => {
                self.bytes += OVERHEAD;
                self.results.push(Result { records, existed, origin });
            }
        }
    }

    /// A window has become part of another one. What nobody has seen needn't be deleted.
    pub(super) fn remove(&mut self, step: &mut Step<'_>, item: &Item, window: Window, tombstone: Record) {
        let seen = item.record.key.as_ref().is_none_or(|key| {
            let place = self.places.get(&(key.clone(), Some(window)));
            place.and_then(|place| self.results.get(*place)).is_none_or(|result| result.existed)
        });
        let records = if seen { vec![(0, tombstone)] } else { Vec::new() };
        self.put(step, item, Some(window), records, seen);
    }

    /// Puts all out, in a run that was awakened.
    pub(super) fn put_out(&mut self, step: &mut Step<'_>) {
        for result in std::mem::take(self).results {
            let place = step.at_the_moment();
            let mut child = 0;
            for (port, record) in result.records {
                let path = step.about(&place, &record, result.origin.clone());
                step.emit(&path, &mut child, port, record);
            }
        }
    }
}

fn size(records: &[(usize, Record)]) -> usize {
    records.iter().map(|(_, record)| record.whole_size() + size_of::<Record>()).sum()
}

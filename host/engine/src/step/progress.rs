//! The progress of a run: its outputs, and the items in the queues of its nodes.
//!
//! A run may take several passes. A node that has used up its budget *cuts* the pass at a path in the order of
//! processing: items from there on stay queued, and the next pass begins at the lowest path that is queued. Nodes
//! before the one that cut may be ahead of it, but each node still sees its items in the order of their paths. So a
//! pass is bounded in memory, and the ends of passes have no effect on outputs.
//!
//! Exits come last in a pass, when the cut is final. Items behind the cut stay queued at an exit, which checks them by
//! the limits and refusals of the pass that emits them. Only dead letters of nodes that are ahead are held as outputs.
//!
//! A task may be committed between two passes: see `task/unfinished.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::item::Item;
use super::limits::RecordOutputs;
use super::{Produced, WakeReason};
use crate::path::Path;
use crate::provenance::Origin;
use crate::record::InputRecord;
use crate::state::table::TableVersions;
use crate::state::timers::TimerCursor;
use crate::topology::{SubTopology, TopicId};

/// The progress of a run, which its steps share.
pub(crate) struct Progress {
    /// The queue of each node.
    pub(crate) queues: Vec<Vec<Item>>,
    /// Outputs of the task that this pass or a later one returns.
    pub(crate) produced: Vec<(Path, Produced)>,
    /// The run's writes to tables that other nodes read.
    pub(crate) versions: TableVersions,
    /// The records of the run, and behind them records that a path is [attributed](Path::with_cause) to.
    pub(crate) records: Vec<InputRecord>,
    /// Number of records of the run among them.
    pub(crate) inputs: usize,
    /// The topic of each record.
    pub(crate) sources: Vec<TopicId>,
    /// Names of all topics.
    pub(crate) names: Arc<[Bytes]>,
    /// The origin of each record of a repartition topic.
    pub(crate) origins: Vec<Option<Origin>>,
    /// Number of paths that steps have taken in a run without records: see
    /// [`Step::next_wake_path`](super::Step::next_wake_path).
    pub(crate) wake_paths: u32,
    /// Items from this path on wait for the next pass.
    pub(crate) cut: Option<Path>,
    /// The remainder of each node.
    pub(crate) remainders: Vec<Option<Remainder>>,
    /// Outputs of each node for its last record: for new rows, and for old ones.
    pub(crate) record_outputs: Vec<[RecordOutputs; 2]>,
    /// Why a run without records wakes the nodes.
    pub(crate) wake: Option<WakeReason>,
    /// Number of nodes that it has woken.
    pub(crate) woken: usize,
}

/// Outputs that a node has yet to emit because an item has advanced time: closed windows, unmatched records, due
/// timers. The node finds them in its state.
pub(crate) struct Remainder {
    /// Path of the item.
    pub(crate) path: Path,
    /// Number of the item's next child.
    pub(crate) child: u32,
    /// For timers: how far they have fired.
    pub(crate) cursor: Option<TimerCursor>,
}

impl Remainder {
    /// Path of its next output.
    pub(crate) fn place(&self) -> Path {
        self.path.child(self.child)
    }
}

impl Progress {
    /// A run of these records, before its first pass.
    pub(crate) fn new(
        nodes: usize,
        records: Vec<InputRecord>,
        sources: Vec<TopicId>,
        names: Arc<[Bytes]>,
        wake: Option<WakeReason>,
    ) -> Self {
        Self {
            queues: std::iter::repeat_with(Vec::new).take(nodes).collect(),
            produced: Vec::new(),
            versions: TableVersions::default(),
            origins: vec![None; records.len()],
            inputs: records.len(),
            records,
            sources,
            names,
            wake_paths: 0,
            cut: None,
            remainders: std::iter::repeat_with(|| None).take(nodes).collect(),
            record_outputs: vec![Default::default(); nodes],
            wake,
            woken: 0,
        }
    }

    /// Begins the next pass, and returns the index of its first node: the one with the lowest queued path. The pass is
    /// cut where earlier nodes have queued items. Exits don't count: they come last.
    pub(crate) fn begin_pass(&mut self, shape: &SubTopology) -> usize {
        let inner = shape.nodes.iter().enumerate().filter(|(_, node)| !node.operator.is_exit());
        let nodes = || inner.clone().filter_map(|(node, _)| Some((self.lowest(node)?, node)));
        let first = nodes().min().map_or(self.woken, |(_, node)| node);
        self.cut = nodes().filter(|(_, node)| *node < first).map(|(place, _)| place).min();
        first
    }

    /// The lowest path that is queued at a node.
    fn lowest(&self, node: usize) -> Option<Path> {
        let remainder = self.remainders.get(node).and_then(Option::as_ref);
        // An item may be queued behind its own remainder.
        let waits = |item: &&Item| remainder.is_none_or(|remainder| item.path != remainder.path);
        let item = self.queues.get(node)?.iter().filter(waits).map(|item| &item.path).min().cloned();
        match remainder.map(Remainder::place) {
            Some(remainder) => Some(item.map_or(remainder.clone(), |item| item.min(remainder))),
            None => item,
        }
    }

    /// Takes a node's items before the cut, in order.
    pub(crate) fn take(&mut self, node: usize) -> Vec<Item> {
        let Some(queue) = self.queues.get_mut(node) else { return Vec::new() };
        let items = std::mem::take(queue);
        let Some(cut) = &self.cut else { return in_order(items) };
        let (now, later) = items.into_iter().partition(|item| item.path < *cut);
        *queue = later;
        in_order(now)
    }

    /// Why to wake a node, if it is its turn.
    pub(crate) fn wake_of(&self, node: usize) -> Option<WakeReason> {
        self.wake.filter(|_| node >= self.woken && self.cut.is_none())
    }

    /// Cuts the pass at this path.
    pub(crate) fn cut(&mut self, place: Path) {
        self.cut = Some(match self.cut.take() {
            Some(cut) => cut.min(place),
            None => place,
        });
    }

    /// Whether the run has ended.
    pub(crate) fn is_done(&self) -> bool {
        let woken = self.wake.is_none() || self.woken == self.queues.len();
        woken && self.queues.iter().all(Vec::is_empty) && self.remainders.iter().all(Option::is_none)
    }

    /// The lowest path that is queued at any node.
    pub(crate) fn lowest_of_all(&self) -> Option<Path> {
        (0..self.queues.len()).filter_map(|node| self.lowest(node)).min()
    }

    /// Takes the outputs before the lowest queued path, in order.
    pub(crate) fn take_produced(&mut self) -> Vec<Produced> {
        let lowest = self.lowest_of_all();
        let mut produced = std::mem::take(&mut self.produced);
        if let Some(lowest) = lowest {
            (produced, self.produced) = produced.into_iter().partition(|(path, _)| *path < lowest);
        }
        if !produced.is_sorted_by(|(a, _), (b, _)| a <= b) {
            produced.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        produced.into_iter().map(|(_, produced)| produced).collect()
    }

    /// Forgets records that no path is attributed to.
    pub(crate) fn forget_unused(&mut self) {
        let inputs = self.inputs;
        let mut used: BTreeMap<usize, usize> = BTreeMap::new();
        self.each_path(&mut |path| {
            if path.record() >= inputs {
                used.insert(path.record(), 0);
            }
        });
        for (place, (old, new)) in used.iter_mut().enumerate() {
            *new = inputs + place;
            self.records.swap(*old, *new);
            self.sources.swap(*old, *new);
            self.origins.swap(*old, *new);
        }
        let kept = inputs + used.len();
        self.records.truncate(kept);
        self.sources.truncate(kept);
        self.origins.truncate(kept);
        self.each_path(&mut |path| {
            if let Some(new) = used.get(&path.record()) {
                *path = path.with_cause(*new as u32);
            }
        });
        for made in self.record_outputs.iter_mut().flatten().filter(|made| made.record as usize >= inputs) {
            made.record = used.get(&(made.record as usize)).map_or(u32::MAX, |new| *new as u32);
        }
    }

    fn each_path(&mut self, visit: &mut dyn FnMut(&mut Path)) {
        self.queues.iter_mut().flatten().for_each(|item| visit(&mut item.path));
        self.produced.iter_mut().for_each(|(path, _)| visit(path));
        self.remainders.iter_mut().flatten().for_each(|remainder| visit(&mut remainder.path));
    }
}

/// Sorts items by their paths. Items of a single upstream node are in order already.
fn in_order(mut items: Vec<Item>) -> Vec<Item> {
    if !items.is_sorted_by(|a, b| a.path <= b.path) {
        items.sort_by(|a, b| a.path.cmp(&b.path));
    }
    items
}

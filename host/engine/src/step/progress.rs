//! A run on its way: what has been put out, and what waits at the nodes.
//!
//! A run may take several passes. A node that has put out, or let out, as much as a pass may hold *cuts* the pass at a
//! place in the order of processing: what comes from there on waits at its node, and the next pass goes on from the
//! lowest place where something waits. Nodes before the one that has cut may be ahead of it; each node still sees its
//! items in the order of their paths. So a pass is bounded in memory, and where the passes end can't be seen.
//!
//! Nodes by which records leave the task come last in a pass, when the cut is final: what comes out behind it waits there
//! as an item, and is checked when it is put out, by the limits and refusals of that time. Only dead letters of nodes that
//! are ahead are held back as they are.
//!
//! Between two passes a task may be committed: see `task/unfinished.rs`.

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

/// What the steps of one run work on together.
pub(crate) struct Progress {
    /// Items that wait for each node.
    pub(crate) queues: Vec<Vec<Item>>,
    /// What has left the task, or will when its place has come.
    pub(crate) produced: Vec<(Path, Produced)>,
    /// What the run has written to tables that other nodes read.
    pub(crate) versions: TableVersions,
    /// The records of the run, and behind them those that a place is [about](Path::about).
    pub(crate) records: Vec<InputRecord>,
    /// How many of them are records of the run.
    pub(crate) inputs: usize,
    /// The topic of each.
    pub(crate) sources: Vec<TopicId>,
    /// Names of all topics.
    pub(crate) names: Arc<[Bytes]>,
    /// Where records of repartition topics come from.
    pub(crate) origins: Vec<Option<Origin>>,
    /// What steps have put out because of the moment, and not of a record: see
    /// [`Step::next_wake_path`](super::Step::next_wake_path).
    pub(crate) wake_paths: u32,
    /// What comes here or later in the order of processing waits for the next pass.
    pub(crate) cut: Option<Path>,
    /// What each node has yet to let out.
    pub(crate) remainders: Vec<Option<Remainder>>,
    /// What each node has made of the record that it was at last: of new rows, and of old ones.
    pub(crate) record_outputs: Vec<[RecordOutputs; 2]>,
    /// What the moment asks of the nodes, in a run without records, and how many nodes have done it.
    pub(crate) wake: Option<WakeReason>,
    pub(crate) woken: usize,
}

/// What a node has yet to let out, because time has moved on by an item: windows that close, records without a match,
/// timers that are due. Which these are, its state says.
pub(crate) struct Remainder {
    /// Place of the item.
    pub(crate) path: Path,
    /// Number of the item's next child.
    pub(crate) child: u32,
    /// Of timers: how far they have fired.
    pub(crate) cursor: Option<TimerCursor>,
}

impl Remainder {
    /// Where the next of it comes out.
    pub(crate) fn place(&self) -> Path {
        self.path.child(self.child)
    }
}

impl Progress {
    /// A run over these records at the beginning.
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

    /// Begins the next pass: at the node where the lowest place is, up to where nodes before that one have more to do.
    /// Gives the index of the node. Exits don't count: they come last.
    pub(crate) fn begin_pass(&mut self, shape: &SubTopology) -> usize {
        let inner = shape.nodes.iter().enumerate().filter(|(_, node)| !node.operator.is_exit());
        let nodes = || inner.clone().filter_map(|(node, _)| Some((self.lowest(node)?, node)));
        let first = nodes().min().map_or(self.woken, |(_, node)| node);
        self.cut = nodes().filter(|(_, node)| *node < first).map(|(place, _)| place).min();
        first
    }

    /// The lowest place at which something waits at a node.
    fn lowest(&self, node: usize) -> Option<Path> {
        let remainder = self.remainders.get(node).and_then(Option::as_ref);
        // The item on whose account something is owed may wait itself until that is out.
        let waits = |item: &&Item| remainder.is_none_or(|remainder| item.path != remainder.path);
        let item = self.queues.get(node)?.iter().filter(waits).map(|item| &item.path).min().cloned();
        match remainder.map(Remainder::place) {
            Some(remainder) => Some(item.map_or(remainder.clone(), |item| item.min(remainder))),
            None => item,
        }
    }

    /// Takes the items of a node up to the cut, in order.
    pub(crate) fn take(&mut self, node: usize) -> Vec<Item> {
        let Some(queue) = self.queues.get_mut(node) else { return Vec::new() };
        let items = std::mem::take(queue);
        let Some(cut) = &self.cut else { return in_order(items) };
        let (now, later) = items.into_iter().partition(|item| item.path < *cut);
        *queue = later;
        in_order(now)
    }

    /// What the moment asks of a node, if it is its turn.
    pub(crate) fn wake_of(&self, node: usize) -> Option<WakeReason> {
        self.wake.filter(|_| node >= self.woken && self.cut.is_none())
    }

    /// Ends the pass here.
    pub(crate) fn cut(&mut self, place: Path) {
        self.cut = Some(match self.cut.take() {
            Some(cut) => cut.min(place),
            None => place,
        });
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_done(&self) -> bool {
        let woken = self.wake.is_none() || self.woken == self.queues.len();
        woken && self.queues.iter().all(Vec::is_empty) && self.remainders.iter().all(Option::is_none)
    }

    /// The lowest place at which anything waits.
    pub(crate) fn lowest_of_all(&self) -> Option<Path> {
        (0..self.queues.len()).filter_map(|node| self.lowest(node)).min()
    }

    /// Takes what was put out before all that still waits, in order.
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

    /// Forgets the records that no place is about any more.
    pub(crate) fn forget(&mut self) {
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
                *path = path.about(*new as u32);
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

/// Items of several upstream nodes in the order of their paths. From one node they are in order already.
fn in_order(mut items: Vec<Item>) -> Vec<Item> {
    if !items.is_sorted_by(|a, b| a.path <= b.path) {
        items.sort_by(|a, b| a.path.cmp(&b.path));
    }
    items
}

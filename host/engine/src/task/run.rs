//! A run: some chosen records on their way through all operators.
//!
//! Nodes are processed one after another in topological order, each with all of the run's items for it in the order of
//! their paths. So a step makes its guest calls for the whole run at once, and still every store sees its reads and
//! writes in the order that one record at a time, depth first, would give: a store is written by one node only, and
//! those that read another node's table see it as it was at their own place in the order (see [`crate::state::table`]).

use std::sync::Arc;

use bytes::Bytes;

use super::item::{Item, Record};
use super::queues::Chosen;
use super::{Produced, Row, Step, Task, TaskError, shape};
use crate::operators;
use crate::path::Path;
use crate::ports::Logic;
use crate::provenance::Origin;
use crate::record::{Headers, InputRecord, Timestamp, TimestampType};
use crate::state::table::Versions;
use crate::topology::{NodeId, SubTopology, TopicId};

/// What the steps of one run work on together.
pub(crate) struct Run<'t> {
    task: &'t mut Task,
    chosen: Vec<Chosen>,
    wake: Option<Wake>,
}

/// What makes steps put out something without a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The driver's clock has moved: to the `arrived` of the run's only record, which stands for the moment and is at no
    /// node.
    Tick,
    /// A commit follows.
    Commit,
    /// Nothing more will come: what waits for time to pass needn't wait any longer.
    Close,
}

/// The offset of what was in no topic.
const NO_OFFSET: i64 = -1;

/// What a run has produced so far.
pub(crate) struct Progress {
    /// Items that wait for each node.
    pub(crate) queues: Vec<Vec<Item>>,
    pub(crate) produced: Vec<(Path, Produced)>,
    /// What the run has written to tables that other nodes read.
    pub(crate) versions: Versions,
    /// The records of the run, and behind them those that a place is [about](Path::about).
    pub(crate) records: Vec<InputRecord>,
    /// The topic of each.
    pub(crate) sources: Vec<TopicId>,
    /// Names of all topics.
    pub(crate) names: Arc<[Bytes]>,
    /// Where records of repartition topics come from.
    pub(crate) origins: Vec<Option<Origin>>,
    /// What steps have put out because of the moment, and not of a record: see [`Step::at_the_moment`].
    pub(crate) moments: u32,
}

impl<'t> Run<'t> {
    pub(super) fn new(task: &'t mut Task, chosen: Vec<Chosen>) -> Self {
        Self { task, chosen, wake: None }
    }

    /// A run without records, in which steps do what the moment asks for.
    pub(super) fn awake(task: &'t mut Task, wake: Wake, now: Timestamp, turn: u64) -> Self {
        let moment = InputRecord {
            offset: NO_OFFSET,
            timestamp: now,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: Headers::EMPTY,
            arrived: now,
            turn,
        };
        Self { task, chosen: vec![Chosen { input: usize::MAX, record: moment, time: now }], wake: Some(wake) }
    }

    pub(super) fn process(self, logic: &mut dyn Logic) -> Result<Vec<Produced>, TaskError> {
        let Self { task, chosen, wake } = self;
        let topology = task.topology.clone();
        let shape = shape(&topology, task.options.subtopology);
        let mut progress = start(shape, chosen, &task.sources, &task.names);
        for (index, node) in shape.nodes.iter().enumerate() {
            let Some(items) = progress.queues.get_mut(index).map(std::mem::take) else { continue };
            let Some(memory) = task.memory.nodes.get_mut(index) else { continue };
            if items.is_empty() && wake.is_none() {
                continue;
            }
            let place = (&*topology, shape, NodeId(index), node);
            let mut step = Step::new(place, &task.options, &mut task.state, &mut task.ledger, &mut progress);
            operators::process(&mut step, in_order(items), memory, logic)?;
            if let Some(wake) = wake {
                operators::wake(&mut step, wake, memory, logic)?;
            }
            step.finish();
        }
        progress.versions.settle(&mut task.state);
        Ok(ordered(progress.produced))
    }
}

fn start(shape: &SubTopology, chosen: Vec<Chosen>, sources: &[NodeId], names: &Arc<[Bytes]>) -> Progress {
    let mut queues: Vec<Vec<Item>> = std::iter::repeat_with(Vec::new).take(shape.nodes.len()).collect();
    let mut records = Vec::with_capacity(chosen.len());
    let mut topics = Vec::with_capacity(chosen.len());
    for (number, Chosen { input, record, time }) in chosen.into_iter().enumerate() {
        if let Some(source) = sources.get(input)
            && let Some(queue) = queues.get_mut(source.0)
        {
            let (path, record) = (Path::root(number as u32), whole(&record, time));
            queue.push(Item { path, from: *source, input: 0, record, row: Row::New });
        }
        topics.push(shape.inputs.get(input).copied().unwrap_or(TopicId(0)));
        records.push(record);
    }
    let (origins, names) = (vec![None; records.len()], Arc::clone(names));
    let (produced, versions, moments) = (Vec::new(), Versions::default(), 0);
    Progress { queues, produced, versions, records, sources: topics, names, origins, moments }
}

fn whole(record: &InputRecord, time: Timestamp) -> Record {
    Record {
        key: record.key.clone(),
        value: record.value.clone(),
        timestamp: time,
        headers: record.headers.clone(),
        window: None,
    }
}

/// Items of several upstream nodes in the order of their paths. From one node they are in order already.
fn in_order(mut items: Vec<Item>) -> Vec<Item> {
    if !items.is_sorted_by(|a, b| a.path <= b.path) {
        items.sort_by(|a, b| a.path.cmp(&b.path));
    }
    items
}

fn ordered(mut produced: Vec<(Path, Produced)>) -> Vec<Produced> {
    if !produced.is_sorted_by(|(a, _), (b, _)| a <= b) {
        produced.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    produced.into_iter().map(|(_, produced)| produced).collect()
}

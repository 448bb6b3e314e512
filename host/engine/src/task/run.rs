//! A run: chosen records on their way through all operators.
//!
//! Nodes run one after another in topological order, each with all of its items in the order of their paths. So a step
//! makes its guest calls for the whole run at once, and each store still sees reads and writes in the order of
//! processing one record at a time, depth first: only one node writes a store, and a node that reads another node's
//! table sees it as it was at the reader's own path (see [`crate::state::table`]).
//!
//! A run with many outputs takes several passes: see [`Progress`]. Exits, which are sinks and repartitions, come last.

use std::sync::Arc;

use super::queues::Chosen;
use super::{Task, shape};
use crate::logic::Logic;
use crate::operators;
use crate::path::Path;
use crate::record::{Headers, InputRecord, Record, Timestamp, TimestampType};
use crate::row::Row;
use crate::split::SplitLogic;
use crate::step::{Item, Produced, Progress, Step, TaskError, WakeReason};
use crate::topology::{NodeId, SubTopology, TopicId};

/// The offset of a record that was in no topic.
const NO_OFFSET: i64 = -1;

/// A run of these records.
pub(super) fn run_of(task: &Task, chosen: Vec<Chosen>) -> Progress {
    start(shape(&task.topology, task.options.subtopology), chosen, task, None)
}

/// A run without records, in which steps do what `wake` asks for.
pub(super) fn wake_run(task: &Task, wake: WakeReason, now: Timestamp, turn: u64) -> Progress {
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
    let chosen = vec![Chosen { input: usize::MAX, record: moment, time: now, before: None }];
    start(shape(&task.topology, task.options.subtopology), chosen, task, Some(wake))
}

/// Runs the first pass of a run.
pub(super) fn begin(task: &mut Task, progress: Progress, logic: &mut dyn Logic) -> Result<Vec<Produced>, TaskError> {
    pass(task, progress, 0, logic)
}

/// Runs the next pass of an unfinished run.
pub(super) fn resume(
    task: &mut Task,
    mut progress: Progress,
    logic: &mut dyn Logic,
) -> Result<Vec<Produced>, TaskError> {
    let first = progress.begin_pass(shape(&task.topology, task.options.subtopology));
    pass(task, progress, first, logic)
}

/// Processes the nodes from `first` on, up to the cut, then the exits, and returns the outputs in order. An unfinished
/// run stays with the task.
fn pass(
    task: &mut Task,
    mut progress: Progress,
    first: usize,
    logic: &mut dyn Logic,
) -> Result<Vec<Produced>, TaskError> {
    let topology = task.topology.clone();
    let shape = shape(&topology, task.options.subtopology);
    let deployments = Arc::clone(&task.options.deployments);
    let mut split = SplitLogic::new(logic, &deployments);
    // Nothing is on the way of a call without a canary.
    let logic: &mut dyn Logic = if split.is_needed() { &mut split } else { split.whole() };
    let inner = shape.nodes.iter().enumerate().skip(first).filter(|(_, node)| !node.operator.is_exit());
    let exits = shape.nodes.iter().enumerate().filter(|(_, node)| node.operator.is_exit());
    for (index, node) in inner.chain(exits) {
        let items = progress.take(index);
        let memory = task.memory.nodes.get_mut(index).zip(task.memory.call_sizes.get_mut(index));
        let Some((memory, call_size)) = memory else { continue };
        let has_remainder = progress.remainders.get(index).is_some_and(Option::is_some);
        let wake = progress.wake_of(index).filter(|_| !node.operator.is_exit());
        if items.is_empty() && !has_remainder && wake.is_none() {
            continue;
        }
        let place = (&*topology, shape, NodeId(index), node);
        let mut step = Step::new(place, &task.options, &mut task.state, &mut task.ledger, &mut progress, call_size);
        if has_remainder || !items.is_empty() {
            operators::process(&mut step, items, memory, logic)?;
        }
        if let Some(wake) = wake.filter(|_| !step.is_cut()) {
            step.progress.woken = index + 1;
            operators::wake(&mut step, wake, memory, logic)?;
        }
        step.finish();
    }
    let produced = progress.take_produced();
    if progress.cut.is_none() {
        progress.woken = shape.nodes.len();
    }
    if progress.is_done() {
        progress.versions.flush(&mut task.state);
    } else {
        if let Some(lowest) = progress.lowest_of_all() {
            progress.versions.flush_before(&lowest, &mut task.state);
        }
        progress.forget_unused();
        task.unfinished = Some(Box::new(progress));
    }
    Ok(produced)
}

fn start(shape: &SubTopology, chosen: Vec<Chosen>, task: &Task, wake: Option<WakeReason>) -> Progress {
    let mut queues: Vec<Vec<Item>> = std::iter::repeat_with(Vec::new).take(shape.nodes.len()).collect();
    let mut records = Vec::with_capacity(chosen.len());
    let mut topics = Vec::with_capacity(chosen.len());
    for (number, Chosen { input, record, time, .. }) in chosen.into_iter().enumerate() {
        if let Some(source) = task.sources.get(input)
            && let Some(queue) = queues.get_mut(source.0)
        {
            let (path, record) = (Path::root(number as u32), to_record(&record, time));
            queue.push(Item { path, from: *source, input: 0, record, row: Row::New });
        }
        topics.push(shape.inputs.get(input).copied().unwrap_or(TopicId(0)));
        records.push(record);
    }
    let names = Arc::clone(&task.names);
    Progress { queues, ..Progress::new(shape.nodes.len(), records, topics, names, wake) }
}

fn to_record(record: &InputRecord, time: Timestamp) -> Record {
    Record {
        key: record.key.clone(),
        value: record.value.clone(),
        timestamp: time,
        headers: record.headers.clone(),
        window: None,
    }
}

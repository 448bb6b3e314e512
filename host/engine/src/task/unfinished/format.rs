//! The sections of an unfinished run: a head, and one section for each of its lists.
//!
//! A list is written back to front, because a run consumes it from the front: the parts written before stay the same up
//! to there, and aren't written again. What changes in each pass is in the head.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes};

use super::codec::{Reader, Writer};
use crate::operators::PendingResult;
use crate::path::Path;
use crate::ports::StoreId;
use crate::provenance::Origin;
use crate::record::InputRecord;
use crate::step::{Item, Progress, WakeReason};
use crate::topology::{NodeId, SubTopology, TopicId, Topology};

/// The version of this format.
const FORMAT: u8 = 2;

/// Numbers of the sections. The items of node `n` are in section `ITEMS + n`.
const HEAD: usize = 0;
const RECORDS: usize = 1;
const CAUSES: usize = 2;
const PRODUCED: usize = 3;
const ROWS: usize = 4;
const ITEMS: usize = 5;

/// Number of the first section of pending results: each result has a section of its own.
pub(super) const RESULTS: usize = 1 << 31;

/// Encodes a run as sections, by number.
pub(super) fn encode(progress: &Progress, topology: &Topology, shape: &SubTopology) -> Vec<Bytes> {
    let mut out = Writer::new(topology, shape);
    let rows = rows(progress);
    out.out.put_u8(FORMAT);
    out.out.put_u32(progress.wake_paths);
    out.out.put_u8(match progress.wake {
        None => 0,
        Some(WakeReason::Tick) => 1,
        Some(WakeReason::Commit) => 2,
        Some(WakeReason::Close) => 3,
    });
    out.node(NodeId(progress.woken));
    for count in [progress.inputs, progress.records.len(), progress.produced.len(), rows.len()] {
        out.number(count);
    }
    for (node, ((items, remainder), record_outputs)) in
        progress.queues.iter().zip(&progress.remainders).zip(&progress.record_outputs).enumerate()
    {
        out.node(NodeId(node));
        out.number(node);
        out.number(items.len());
        out.out.put_u8(u8::from(remainder.is_some()));
        remainder.iter().for_each(|remainder| out.remainder(remainder));
        record_outputs.iter().for_each(|record_outputs| out.record_outputs(record_outputs));
    }
    out.node(NodeId(usize::MAX));
    let used = used(progress);
    let mut sections = vec![out.section()];
    for numbers in [0..progress.inputs, progress.inputs..progress.records.len()] {
        numbers.rev().for_each(|number| record(&mut out, progress, number, used.contains(&number)));
        sections.push(out.section());
    }
    let mut produced: Vec<_> = progress.produced.iter().collect();
    produced.sort_by(|(a, _), (b, _)| b.cmp(a));
    produced.iter().for_each(|(path, produced)| out.produced(path, produced));
    sections.push(out.section());
    for (store, key, path, row) in rows.into_iter().rev() {
        out.text(topology.stores.get(store.0).map_or("", |store| store.name.as_str()));
        out.bytes(Some(key));
        out.path(path);
        out.bytes(row.as_deref());
    }
    sections.push(out.section());
    for items in &progress.queues {
        let mut items: Vec<&Item> = items.iter().collect();
        items.sort_by(|a, b| a.path.cmp(&b.path));
        items.iter().rev().for_each(|item| out.item(item, progress.records.get(item.path.record())));
        sections.push(out.section());
    }
    sections
}

/// The run's table rows in an order that is the same at each commit: by their paths.
fn rows(progress: &Progress) -> Vec<(StoreId, &Bytes, &Path, &Option<Bytes>)> {
    let mut rows: Vec<_> = progress.versions.rows().collect();
    rows.sort_by(|(one, a, from, _), (other, b, to, _)| (from, one.0, a).cmp(&(to, other.0, b)));
    rows
}

fn record(out: &mut Writer<'_>, progress: &Progress, number: usize, whole: bool) {
    let Some(record) = progress.records.get(number) else { return };
    out.input(record, whole);
    out.topic(progress.sources.get(number).copied().unwrap_or(TopicId(usize::MAX)));
    let origin = progress.origins.get(number).and_then(Option::as_ref);
    out.bytes(origin.map(Origin::encode).as_deref());
}

/// Numbers of the records whose keys and values may still be needed: a dead letter shows the whole record.
fn used(progress: &Progress) -> BTreeSet<usize> {
    let items = progress.queues.iter().flatten().map(|item| &item.path);
    let remainder = progress.remainders.iter().flatten().map(|remainder| &remainder.path);
    items.chain(remainder).map(Path::record).collect()
}

/// Decodes a run; `None` if the sections are damaged, or if this pipeline can't go on with the run. `partition` is the
/// task's.
pub(super) fn decode(sections: &BTreeMap<usize, Bytes>, input: &mut Reader<'_>, partition: u32) -> Option<Progress> {
    let section = |number: usize| sections.get(&number).cloned().unwrap_or_default();
    input.bytes = section(HEAD);
    let format = input.byte()?;
    if format != FORMAT {
        let text = "another version of millrace has stored it";
        input.refusal = Some(format!("{text} (format {format}, and this version reads format {FORMAT})"));
        return None;
    }
    let wake_paths = input.u32()?;
    let wake = match input.byte()? {
        1 => Some(WakeReason::Tick),
        2 => Some(WakeReason::Commit),
        3 => Some(WakeReason::Close),
        _ => None,
    };
    let nodes = input.shape.nodes.len();
    let woken = input.node()?.and_then(Result::ok).map_or(nodes, |node| node.0);
    let names = input.topology.topics.iter().map(|topic| Bytes::copy_from_slice(topic.name.as_bytes())).collect();
    let mut progress = Progress::new(nodes, Vec::new(), Vec::new(), names, wake);
    let (inputs, all, produced, rows) = (input.number()?, input.number()?, input.number()?, input.number()?);
    (progress.inputs, progress.wake_paths, progress.woken) = (inputs, wake_paths, woken);
    let queues = read_queues(input, &mut progress)?;
    for (number, count) in [(RECORDS, inputs), (CAUSES, all.checked_sub(inputs)?)] {
        input.begin(section(number))?;
        records(input, count, partition, &mut progress)?;
    }
    input.begin(section(PRODUCED))?;
    for _ in 0..produced {
        progress.produced.extend(input.produced()?);
    }
    input.begin(section(ROWS))?;
    let rows = (0..rows).map(|_| row(input)).collect::<Option<Vec<_>>>()?;
    for (store, key, path, row) in rows.into_iter().rev().flatten() {
        progress.versions.write(store, key, path, row);
    }
    for QueuedItems { node, number, count } in queues {
        input.begin(section(ITEMS.checked_add(number)?))?;
        let mut items = (0..count).map(|_| input.item(&progress.records)).collect::<Option<Vec<_>>>()?;
        items.reverse();
        if let Some(queue) = node.and_then(|node| progress.queues.get_mut(node.0)) {
            *queue = items;
        }
    }
    input.begin(Bytes::new())?;
    Some(progress)
}

/// Items in the queue of a node.
struct QueuedItems {
    /// `None` if the pipeline no longer has the node.
    node: Option<NodeId>,
    /// The node's number when the run was stored.
    number: usize,
    count: usize,
}

/// Reads what waits at the nodes: the number of items in each queue, and the remainders.
fn read_queues(input: &mut Reader<'_>, progress: &mut Progress) -> Option<Vec<QueuedItems>> {
    let mut all = Vec::new();
    while let Some(node) = input.node()? {
        let (number, count, has_remainder) = (input.number()?, input.number()?, input.byte()? == 1);
        if let Err(name) = &node
            && (count > 0 || has_remainder)
        {
            input.lacks("waits for", name);
        }
        let remainder = if has_remainder { Some(input.remainder()?) } else { None };
        let record_outputs = [input.record_outputs()?, input.record_outputs()?];
        if let Ok(NodeId(node)) = node {
            *progress.remainders.get_mut(node)? = remainder;
            *progress.record_outputs.get_mut(node)? = record_outputs;
        }
        all.push(QueuedItems { node: node.ok(), number, count });
    }
    Some(all)
}

/// Reads `count` records, which are stored back to front.
fn records(input: &mut Reader<'_>, count: usize, partition: u32, progress: &mut Progress) -> Option<()> {
    let begin = progress.records.len();
    for _ in 0..count {
        let (record, (name, topic)) = (input.input()?, input.topic()?);
        let mut origin = input.bytes()?.and_then(Origin::decode);
        if topic.is_none() && origin.is_none() {
            // The pipeline no longer has the topic, but a dead letter must name it.
            let InputRecord { offset, timestamp, timestamp_type, .. } = record;
            origin = Some(Origin { topic: name.into(), partition, offset, timestamp, timestamp_type });
        }
        progress.records.push(record);
        progress.sources.push(topic.unwrap_or(TopicId(usize::MAX)));
        progress.origins.push(origin);
    }
    progress.records.get_mut(begin..)?.reverse();
    progress.sources.get_mut(begin..)?.reverse();
    progress.origins.get_mut(begin..)?.reverse();
    Some(())
}

/// A row that the run has written to a table, with its path.
type RowAt = (StoreId, Bytes, Path, Option<Bytes>);

/// Reads a row. The inner option is `None` if the pipeline no longer has the table.
fn row(input: &mut Reader<'_>) -> Option<Option<RowAt>> {
    let (name, key, path, row) = (input.text()?, input.bytes()??, input.path()?, input.bytes()?);
    let store = input.topology.stores.iter().position(|known| known.name == name).map(StoreId);
    if store.is_some_and(|store| !input.shape.stores.contains(&store)) {
        let reason = "which is no longer connected with the steps that read the topic";
        input.refusal.get_or_insert_with(|| format!("a part of it is of the table `{name}`, {reason}"));
    }
    Some(store.map(|store| (store, key, path, row)))
}

/// Encodes a pending result of a node as a section.
pub(super) fn encode_result(out: &mut Writer<'_>, node: NodeId, result: &PendingResult) -> Bytes {
    out.node(node);
    out.bytes(Some(&result.key));
    out.window(result.window);
    out.out.put_u8(u8::from(result.existed));
    out.bytes(result.origin.as_ref().map(Origin::encode).as_deref());
    out.number(result.records.len());
    for (port, record) in &result.records {
        out.number(*port);
        out.record(record);
    }
    out.section()
}

/// Decodes a pending result.
pub(super) fn decode_result(section: usize, input: &mut Reader<'_>) -> Option<(NodeId, PendingResult)> {
    let node = input.node()??.unwrap_or_else(|name| {
        input.lacks("is a result that waits for a commit at", &name);
        NodeId(usize::MAX)
    });
    let (key, window, existed) = (input.bytes()??, input.window()?, input.byte()? == 1);
    let origin = input.bytes()?.and_then(Origin::decode);
    let records = (0..input.number()?).map(|_| Some((input.number()?, input.record()?))).collect::<Option<_>>()?;
    let result = PendingResult { key, window, records, existed, origin, section: Some(section), changed: false };
    input.begin(Bytes::new())?;
    Some((node, result))
}

//! A run that isn't done at a commit is kept with the state, and goes on after it, also in another process.
//!
//! It is kept in the meta store, in parts that no topic finds too large, under the name of a topic that the sub-topology
//! reads: the first that has the task's partition, so that a task which reads that topic finds it, whatever else is read
//! with it. Steps, topics and stores are known by their names. Where something waits for a step that the pipeline no longer has, or
//! that another sub-topology has now, the task refuses to start: see [`TaskError::Rest`]. Its offsets are committed, so to
//! drop it would be a loss.

mod codec;
mod names;

use bytes::{BufMut, Bytes, BytesMut};

use super::progress::Progress;
use super::run::Wake;
use super::{TaskError, TaskOptions};
use crate::meta::{rest_key, rest_keys};
use crate::operators::is_read;
use crate::path::Path;
use crate::ports::{Scan, StoreId};
use crate::provenance::Origin;
use crate::record::InputRecord;
use crate::state::TaskState;
use crate::topology::{NodeId, SubTopology, TopicId, Topology};
use codec::{Reader, Writer};
use names::{name_of, names};

/// Most bytes of a part.
const PART: usize = 256 << 10;

/// Where the run that wasn't done at the last commit is kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The topic under whose name. It may no longer be the first that is read.
    topic: String,
    /// In how many parts; none if all was done.
    parts: usize,
}

/// Keeps a run that isn't done, in place of the one that was kept at the last commit.
pub(super) fn prepare(
    unfinished: Option<&Progress>,
    (topology, shape): (&Topology, &SubTopology),
    options: &TaskOptions,
    state: &mut TaskState,
    kept: &mut Kept,
) {
    if unfinished.is_none() && kept.parts == 0 {
        return;
    }
    if kept.parts == 0 {
        let has_it = |topic: &&TopicId| options.partitions.get(topic.0).is_none_or(|count| *count > options.partition);
        let Some(first) = shape.inputs.iter().find(has_it) else { return };
        kept.topic = name_of(topology, *first).to_owned();
    }
    let bytes = unfinished.map(|progress| encode(progress, topology, shape)).unwrap_or_default();
    let most = PART.min(options.state_bytes.saturating_sub(rest_key(&kept.topic, 0).len())).max(1);
    let now = bytes.len().div_ceil(most);
    for part in 0..now {
        let bytes = bytes.slice(part * most..bytes.len().min((part + 1) * most));
        state.put(shape.meta, rest_key(&kept.topic, part), Some(bytes));
    }
    for part in now..std::mem::replace(&mut kept.parts, now) {
        state.put(shape.meta, rest_key(&kept.topic, part), None);
    }
}

/// The run that wasn't done at the last commit, and where it is kept. The inputs may have been others then, so it is looked
/// for under each.
pub(super) fn open(
    (topology, shape): (&Topology, &SubTopology),
    partition: u32,
    state: &mut TaskState,
) -> Result<(Option<Progress>, Kept), TaskError> {
    let (mut bytes, mut kept) = (BytesMut::new(), Kept::default());
    for topic in shape.inputs.iter().map(|topic| name_of(topology, *topic)) {
        let ((from, to), mut parts) = (rest_keys(topic), 0);
        let is_first = kept.parts == 0;
        state.scan(shape.meta, &from, Some(&to), &mut |_, part| {
            parts += 1;
            if !is_first {
                return Scan::Stop;
            }
            bytes.put_slice(part);
            Scan::Continue
        })?;
        match (parts, is_first) {
            (0, _) => {}
            (_, true) => kept = Kept { topic: topic.to_owned(), parts },
            (_, false) => {
                let other = &kept.topic;
                let reason = format!(
                    "the steps that read it and those that read `{other}` are connected now, and that topic has a rest too"
                );
                return Err(TaskError::Rest { topic: topic.into(), reason });
            }
        }
    }
    if kept.parts == 0 {
        return Ok((None, kept));
    }
    let mut input = Reader::new(bytes.freeze(), topology, shape);
    let read = decode(&mut input, partition);
    let damaged = || "what is kept of it can't be read".to_owned();
    let mut progress = match input.refusal.map_or_else(|| read.ok_or_else(damaged), Err) {
        Ok(progress) => progress,
        Err(reason) => return Err(TaskError::Rest { topic: kept.topic, reason }),
    };
    progress.versions.settle_unread(state, |store| is_read(shape, store));
    Ok((Some(progress), kept))
}

/// The version of this form.
const FORM: u8 = 2;

fn encode(progress: &Progress, topology: &Topology, shape: &SubTopology) -> Bytes {
    let mut out = Writer { out: BytesMut::with_capacity(4_096), topology, names: names(topology, shape) };
    out.out.put_u8(FORM);
    out.number(progress.inputs);
    out.out.put_u32(progress.moments);
    out.out.put_u8(match progress.wake {
        None => 0,
        Some(Wake::Tick) => 1,
        Some(Wake::Commit) => 2,
        Some(Wake::Close) => 3,
    });
    out.node(NodeId(progress.woken));
    let used = used(progress);
    out.number(progress.records.len());
    let records = progress.records.iter().zip(&progress.sources).zip(&progress.origins);
    for (number, ((record, source), origin)) in records.enumerate() {
        out.input(record, used.contains(&number));
        out.topic(*source);
        out.bytes(origin.as_ref().map(Origin::encode).as_deref());
    }
    for (node, ((items, owed), spent)) in progress.queues.iter().zip(&progress.owed).zip(&progress.spent).enumerate() {
        out.node(NodeId(node));
        out.number(items.len());
        out.out.put_u8(u8::from(owed.is_some()));
        items.iter().for_each(|item| out.item(item));
        owed.iter().for_each(|owed| out.owed(owed));
        spent.iter().for_each(|spent| out.spent(spent));
    }
    out.node(NodeId(usize::MAX));
    out.number(progress.produced.len());
    progress.produced.iter().for_each(|(path, produced)| out.produced(path, produced));
    let rows: Vec<_> = progress.versions.rows().collect();
    out.number(rows.len());
    for (store, key, path, row) in rows {
        out.text(topology.stores.get(store.0).map_or("", |store| store.name.as_str()));
        out.bytes(Some(key));
        out.path(path);
        out.bytes(row.as_deref());
    }
    out.out.freeze()
}

/// The records whose keys and values may still be asked for: a dead letter shows its record whole.
fn used(progress: &Progress) -> std::collections::BTreeSet<usize> {
    let items = progress.queues.iter().flatten().map(|item| &item.path);
    let owed = progress.owed.iter().flatten().map(|owed| &owed.path);
    items.chain(owed).map(Path::record).collect()
}

/// A run; none where the bytes aren't that, or where the pipeline can't go on with it. `partition` is that of the task.
fn decode(input: &mut Reader<'_>, partition: u32) -> Option<Progress> {
    let (topology, shape) = (input.topology, input.shape);
    let form = input.byte()?;
    if form != FORM {
        let text =
            format!("another version of millrace has written it (form {form}, and this version reads form {FORM})");
        input.refusal = Some(text);
        return None;
    }
    let (inputs, moments) = (input.number()?, input.u32()?);
    let wake = match input.byte()? {
        1 => Some(Wake::Tick),
        2 => Some(Wake::Commit),
        3 => Some(Wake::Close),
        _ => None,
    };
    let woken = input.node()?.and_then(Result::ok).map_or(shape.nodes.len(), |node| node.0);
    let names = topology.topics.iter().map(|topic| Bytes::copy_from_slice(topic.name.as_bytes())).collect();
    let mut progress = Progress::new(shape.nodes.len(), Vec::new(), Vec::new(), names, wake);
    (progress.inputs, progress.moments, progress.woken) = (inputs, moments, woken);
    records(input, partition, &mut progress)?;
    waiting(input, &mut progress)?;
    for _ in 0..input.number()? {
        progress.produced.extend(input.produced()?);
    }
    for _ in 0..input.number()? {
        let (name, key, path, row) = (input.text()?, input.bytes()??, input.path()?, input.bytes()?);
        match topology.stores.iter().position(|known| known.name == name).map(StoreId) {
            Some(store) if shape.stores.contains(&store) => progress.versions.write(store, key, path, row),
            Some(_) => {
                let reason = "which is no longer connected with the steps that read the topic";
                input.refusal.get_or_insert_with(|| format!("a part of it is of the table `{name}`, {reason}"));
            }
            // The table is gone, and its rows with it.
            None => {}
        }
    }
    input.bytes.is_empty().then_some(progress)
}

fn records(input: &mut Reader<'_>, partition: u32, progress: &mut Progress) -> Option<()> {
    for _ in 0..input.number()? {
        let (record, (name, topic)) = (input.input()?, input.topic()?);
        let mut origin = input.bytes()?.and_then(Origin::decode);
        if topic.is_none() && origin.is_none() {
            // The pipeline doesn't know the topic any more, and a dead letter shall still name it.
            let InputRecord { offset, timestamp, timestamp_type, .. } = record;
            origin = Some(Origin { topic: name.into(), partition, offset, timestamp, timestamp_type });
        }
        progress.records.push(record);
        progress.sources.push(topic.unwrap_or(TopicId(usize::MAX)));
        progress.origins.push(origin);
    }
    Some(())
}

/// What waits at the nodes.
fn waiting(input: &mut Reader<'_>, progress: &mut Progress) -> Option<()> {
    while let Some(node) = input.node()? {
        let (count, owes) = (input.number()?, input.byte()? == 1);
        if let Err(name) = &node
            && (count > 0 || owes)
        {
            input.lacks("waits for", name);
        }
        let items = (0..count).map(|_| input.item()).collect::<Option<Vec<_>>>()?;
        let owed = if owes { Some(input.owed()?) } else { None };
        let spent = [input.spent()?, input.spent()?];
        if let Ok(NodeId(node)) = node {
            *progress.queues.get_mut(node)? = items;
            *progress.owed.get_mut(node)? = owed;
            *progress.spent.get_mut(node)? = spent;
        }
    }
    Some(())
}

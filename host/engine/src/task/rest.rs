//! A run that isn't done at a commit is kept with the state, and goes on after it, also in another process.
//!
//! It is kept in the meta store, in parts that no topic finds too large, under the name of the sub-topology's first source.
//! Steps, topics and stores are known by their names: what waits for one that the pipeline no longer has is counted
//! (`step-gone`) and dropped, as the state of that step is.

mod codec;

use bytes::{BufMut, Bytes, BytesMut};

use super::TaskError;
use super::progress::Progress;
use super::run::Wake;
use crate::ledger::{Ledger, What};
use crate::meta::{rest_key, rest_keys};
use crate::path::Path;
use crate::ports::{BackendError, Scan};
use crate::provenance::Origin;
use crate::state::TaskState;
use crate::topology::{NodeId, SubTopology, TopicId, Topology};
use codec::{Reader, Writer};

/// Bytes of a part.
const PART: usize = 256 << 10;

/// Keeps a run that isn't done, in place of the one that was kept at the last commit in so many parts.
pub(super) fn prepare(
    unfinished: Option<&Progress>,
    (topology, shape): (&Topology, &SubTopology),
    state: &mut TaskState,
    parts: &mut usize,
) {
    let Some(source) = shape.nodes.first().map(|node| node.name.as_str()) else { return };
    let bytes = unfinished.map(|progress| encode(progress, topology, shape)).unwrap_or_default();
    let now = bytes.len().div_ceil(PART);
    for part in 0..now {
        let bytes = bytes.slice(part * PART..bytes.len().min((part + 1) * PART));
        state.put(shape.meta, rest_key(source, part), Some(bytes));
    }
    for part in now..std::mem::replace(parts, now) {
        state.put(shape.meta, rest_key(source, part), None);
    }
}

/// The run that wasn't done at the last commit, and in how many parts it is kept.
pub(super) fn open(
    topology: &Topology,
    shape: &SubTopology,
    state: &TaskState,
    ledger: &mut Ledger,
) -> Result<(Option<Progress>, usize), TaskError> {
    let Some(source) = shape.nodes.first().map(|node| node.name.as_str()) else { return Ok((None, 0)) };
    let (from, to) = rest_keys(source);
    let (mut bytes, mut parts) = (BytesMut::new(), 0);
    state.scan(shape.meta, &from, Some(&to), &mut |_, part| {
        bytes.put_slice(part);
        parts += 1;
        Scan::Continue
    })?;
    if parts == 0 {
        return Ok((None, 0));
    }
    let progress = decode(bytes.freeze(), topology, shape, ledger).ok_or_else(|| BackendError {
        store: "meta".into(),
        reason: format!("the run that the source `{source}` was in the middle of can't be read"),
    })?;
    Ok((Some(progress), parts))
}

/// The version of this form.
const FORM: u8 = 1;

fn encode(progress: &Progress, topology: &Topology, shape: &SubTopology) -> Bytes {
    let mut out = Writer { out: BytesMut::with_capacity(4_096), topology, shape };
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
        items.iter().for_each(|item| out.item(item));
        out.out.put_u8(u8::from(owed.is_some()));
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

fn decode(bytes: Bytes, topology: &Topology, shape: &SubTopology, ledger: &mut Ledger) -> Option<Progress> {
    let mut input = Reader { bytes, topology, shape };
    if input.byte()? != FORM {
        return None;
    }
    let (inputs, moments) = (input.number()?, input.u32()?);
    let wake = match input.byte()? {
        1 => Some(Wake::Tick),
        2 => Some(Wake::Commit),
        3 => Some(Wake::Close),
        _ => None,
    };
    let woken = input.node()?.1.map_or(shape.nodes.len(), |node| node.0);
    let names = topology.topics.iter().map(|topic| Bytes::copy_from_slice(topic.name.as_bytes())).collect();
    let mut progress = Progress::new(shape.nodes.len(), Vec::new(), Vec::new(), names, wake);
    (progress.inputs, progress.moments, progress.woken) = (inputs, moments, woken);
    for _ in 0..input.number()? {
        progress.records.push(input.input()?);
        progress.sources.push(input.topic()?.unwrap_or(TopicId(0)));
        progress.origins.push(input.bytes()?.and_then(Origin::decode));
    }
    loop {
        let (name, node) = input.node()?;
        if name.is_empty() {
            break;
        }
        let items = (0..input.number()?).map(|_| input.item()).collect::<Option<Vec<_>>>()?;
        let owed = if input.byte()? == 1 { Some(input.owed()?) } else { None };
        let spent = [input.spent()?, input.spent()?];
        let Some(NodeId(node)) = node else {
            ledger.count(&name, What::Dropped, "step-gone", items.len() as u64);
            continue;
        };
        *progress.queues.get_mut(node)? = items;
        *progress.owed.get_mut(node)? = owed;
        *progress.spent.get_mut(node)? = spent;
    }
    for _ in 0..input.number()? {
        let (path, produced) = input.produced()?;
        progress.produced.extend(produced.map(|produced| (path, produced)));
    }
    for _ in 0..input.number()? {
        let (store, key, path, row) = (input.text()?, input.bytes()??, input.path()?, input.bytes()?);
        if let Some(store) = topology.stores.iter().position(|known| known.name == store) {
            progress.versions.write(crate::ports::StoreId(store), key, path, row);
        }
    }
    Some(progress)
}

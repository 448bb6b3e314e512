//! Aggregates. Those with windows are in [`windowed`]; this is the one without: a state for each key.
//!
//! Of a table, each new row is added, after the row that it replaces has been taken back. Each of both gives a result:
//! Kafka Streams has only the second where both have the same key, as `emit = "commit"` does. The result's time is the
//! highest of the records that have changed the state, also by taking rows back.
//!
//! The records of a run are grouped by key, and each group goes to the guest once, with its state: a guest decodes and
//! encodes a state once for many records. Where states have a limit, a group goes record by record, because only the
//! guest knows how large a state was in between; a record that makes it too large fails (`state-too-large`).

mod batches;
mod calls;
mod emitter;
mod guest;
mod hopping;
mod pending_results;
mod plan;
mod planner;
mod rounds;
mod session;
mod sliding;
mod windowed;

use bytes::Bytes;
use hashbrown::HashMap;

use super::bounds;
use crate::calls::bytes_of;
use crate::logic::Logic;
use crate::operators::memory::NodeMemory;
use crate::ports::{BackendError, Change, Failure, Group, Grouped, Mode, Outcome, StoreId, Stored};
use crate::record::Record;
use crate::record::{Timestamp, length};
use crate::state::aggregate_windows::AggregateWindows;
use crate::state::keys::{AGGREGATE_OVERHEAD, decode_aggregate, encode_aggregate};
use crate::step::{Item, Parent, Step, TaskError, UnusableRecord, inherited};
use crate::topology::Call;
use batches::batches;
use guest::Guest;
pub(crate) use pending_results::{PendingResult, PendingResults};

/// What an aggregate remembers between runs, if it has windows or waits for commits.
pub(crate) struct AggregateMemory {
    /// Its windows.
    pub(crate) windows: Option<AggregateWindows>,
    /// With [`Emit::Commit`](crate::topology::Emit::Commit): results that wait for it.
    pub(crate) pending: PendingResults,
}

/// The items of one key, with the state they go to.
struct Work {
    key: Bytes,
    timestamp: Timestamp,
    state: Option<Stored>,
    /// About how many bytes the state has after the items.
    bytes: usize,
    /// Numbers of the items.
    items: Vec<usize>,
}

impl Work {
    /// Records and bytes.
    fn size(&self, items: &[Item], call: &Call) -> (usize, usize) {
        let records = self.items.iter().filter_map(|number| items.get(*number));
        let state = self.state.as_ref().map_or(0, |state| state.bytes.len());
        let bytes = records.map(|item| bytes_of(&item.record.message(""), &call.manifest)).sum::<usize>();
        (self.items.len(), state + bytes)
    }
}

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    store: StoreId,
    memory: &mut NodeMemory,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    if step.has_commit_remainder() {
        step.take_remainder();
        flush(step, memory);
    }
    let mut pending = match memory {
        NodeMemory::Aggregate(memory) if memory.windows.is_some() => {
            return windowed::process(step, items, memory, call, logic);
        }
        NodeMemory::Aggregate(memory) => Some(&mut memory.pending),
        _ => None,
    };
    let mut rest = usable(step, items);
    while !rest.is_empty() && !step.is_full() {
        let (works, items) = group(step, &rest, store)?;
        let later = rest.split_off(items);
        let items = std::mem::replace(&mut rest, later);
        part(step, &items, &works, (store, pending.as_deref_mut()), call, logic)?;
        step.adapt_call_size(items.len());
    }
    step.requeue(rest);
    Ok(())
}

/// Does the work on some items.
fn part(
    step: &mut Step<'_>,
    items: &[Item],
    works: &[Work],
    (store, mut pending): (StoreId, Option<&mut PendingResults>),
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let function = step.function(call)?;
    let mut guest = Guest { logic, function, manifest: &call.manifest, effects: Vec::new() };
    let mut outcomes: Vec<Option<(Outcome, Timestamp)>> = vec![None; items.len()];
    for batch in batches(works, step.options.batch, |work| work.size(items, call)) {
        let groups: Vec<Group<'_>> = batch.iter().map(|work| to_group(step, work, items)).collect();
        let results = if may_outgrow(step, call, groups.iter().map(|group| group.key.len()).max().unwrap_or(0)) {
            guest.rounds(&groups, |group, state| too_large(step, store, group, state))
        } else {
            guest.groups(&groups, Mode::Each)
        };
        let results = results.map_err(|error| step.host_error(error))?;
        for (work, result) in batch.iter().zip(results) {
            store_result(step, store, work, result, items, &mut outcomes);
        }
    }
    step.effects(guest.effects);
    for (item, outcome) in items.iter().zip(outcomes) {
        let Some((outcome, timestamp)) = outcome else { continue };
        let mut record = Record { value: None, timestamp, window: None, ..item.record.clone() };
        // What has been added up over records of many windows is of none.
        bounds::strip(&mut record.headers);
        match (&mut pending, outcome) {
            (Some(pending), Outcome::Outputs(outputs)) => {
                pending.put(step, item, None, inherited(&record, outputs).collect(), false);
            }
            (_, outcome) => step.apply_outcome(&Parent { path: &item.path, record: &record }, outcome, call)?,
        }
    }
    Ok(())
}

/// Closes the windows that are open.
pub(super) fn close(
    step: &mut Step<'_>,
    memory: &mut NodeMemory,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    match memory {
        NodeMemory::Aggregate(memory) => windowed::close(step, memory, call, logic),
        _ => Ok(()),
    }
}

/// Puts out what has waited for a commit, as much as goes into a pass.
pub(super) fn flush(step: &mut Step<'_>, memory: &mut NodeMemory) {
    if let NodeMemory::Aggregate(memory) = memory {
        memory.pending.emit_all(step);
    }
}

/// Whether a guest could make a state that is larger than an entry may be. All that it gives back was in its memory, so
/// with the usual limits it can't; where it could, only calls with one record a key show which record it was.
fn may_outgrow(step: &Step<'_>, call: &Call, key: usize) -> bool {
    let memory = step.topology.plugins.get(call.plugin.0).map_or(usize::MAX, |plugin| plugin.limits.memory);
    memory.saturating_add(key).saturating_add(AGGREGATE_OVERHEAD) > step.options.state_bytes
}

/// Without a key or a value there is nothing to aggregate (Kafka Streams, unwindowed aggregates).
fn usable(step: &mut Step<'_>, items: Vec<Item>) -> Vec<Item> {
    let mut good = Vec::with_capacity(items.len());
    for item in items {
        let lacks = item.record.key.is_none() || item.record.value.is_none();
        if lacks && item.row.change() == Change::Subtract {
            // It was left out, and counted, when it was new.
            continue;
        }
        if item.record.key.is_none() {
            let text = "an aggregate needs a key, and the record has none";
            step.reject(&item.path, UnusableRecord::null_key(step.node, text));
        } else if item.record.value.is_none() {
            step.reject(&item.path, UnusableRecord::null_value("an aggregate has no use for a null value"));
        } else {
            good.push(item);
        }
    }
    good
}

/// Groups the first of the items, as many as go into a part, and gives their number. Each comes with its state and may
/// put out as much as the one that it leaves: about what was there, and what was added to it.
fn group(step: &Step<'_>, items: &[Item], store: StoreId) -> Result<(Vec<Work>, usize), TaskError> {
    let mut works: Vec<Work> = Vec::new();
    let mut places: HashMap<&Bytes, usize> = HashMap::new();
    let (mut budget, mut grouped) = (step.budget(), 0);
    for (number, item) in items.iter().take(step.call_size()).enumerate() {
        if budget.is_full() {
            break;
        }
        grouped = number + 1;
        let Some(key) = &item.record.key else { continue };
        let place = *places.entry(key).or_insert(works.len());
        if place == works.len() {
            let (timestamp, state) = load(step, store, key)?;
            let bytes = state.as_ref().map_or(0, |state| state.bytes.len());
            works.push(Work { key: key.clone(), timestamp, state, bytes, items: Vec::new() });
        }
        if let Some(work) = works.get_mut(place) {
            work.bytes = work.bytes.saturating_add(length(&item.record.value));
            budget.take(work.bytes);
            work.items.push(number);
        }
    }
    Ok((works, grouped))
}

fn load(step: &Step<'_>, store: StoreId, key: &[u8]) -> Result<(Timestamp, Option<Stored>), TaskError> {
    let Some(bytes) = step.state.get(store, key)? else { return Ok((Timestamp::MIN, None)) };
    let (timestamp, stored) = decode_aggregate(&bytes).ok_or_else(|| BackendError {
        store: step.node.name.clone(),
        reason: "a state is shorter than its header".into(),
    })?;
    Ok((timestamp, Some(stored)))
}

fn to_group<'i>(step: &Step<'i>, work: &'i Work, items: &'i [Item]) -> Group<'i> {
    let items = work.items.iter().filter_map(|number| items.get(*number));
    let entries = items.map(|item| (item.row.change(), item.record.message(step.name_of(item.from)))).collect();
    Group { key: &work.key, window: None, state: work.state.clone(), absorbed: Vec::new(), entries }
}

/// Why a state can't be kept, if it is too large.
fn too_large(step: &Step<'_>, store: StoreId, group: &Group<'_>, state: &Stored) -> Option<Failure> {
    step.entry_too_large(store, group.key.len(), state.bytes.len() + AGGREGATE_OVERHEAD)
}

/// Keeps the new state, and the outcomes with their times: the highest that has gone into the state. A state that was
/// deleted takes its time with it, be that in the middle of a group or at its end.
fn store_result(
    step: &mut Step<'_>,
    store: StoreId,
    work: &Work,
    result: Grouped,
    items: &[Item],
    outcomes: &mut [Option<(Outcome, Timestamp)>],
) {
    let (mut timestamp, mut changed) = (work.timestamp, false);
    let mut deleted = result.deleted_after.into_iter().peekable();
    for (index, (number, outcome)) in work.items.iter().zip(result.outcomes).enumerate() {
        if matches!(outcome, Outcome::Outputs(_)) {
            timestamp = items.get(*number).map_or(timestamp, |item| timestamp.max(item.time()));
            changed = true;
        }
        if let Some(place) = outcomes.get_mut(*number) {
            *place = Some((outcome, timestamp));
        }
        if deleted.next_if_eq(&index).is_some() {
            timestamp = Timestamp::MIN;
        }
    }
    if changed {
        let bytes = result.state.map(|state| encode_aggregate(timestamp, &state));
        // It is in memory until the commit, whether anything comes out or not.
        step.spend(length(&bytes));
        step.state.put(store, work.key.clone(), bytes);
    }
}

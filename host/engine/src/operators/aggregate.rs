//! Aggregates. Here is the aggregate without windows, with a state per key; [`windowed`] has the one with windows.
//!
//! An aggregate of a table subtracts the old row before it adds the new one, and emits a result for each. If both rows
//! have the same key, Kafka Streams emits only the second result, as `emit = "commit"` does. The time of a result is
//! the highest of the records that have changed the state, old rows included.
//!
//! The records of a run are grouped by key, and the guest gets each group once, with its state: it decodes and encodes
//! a state once for many records. If states could exceed their limit, the guest gets a group record by record, because
//! only the guest knows the size of a state in between. A record that makes a state too large fails
//! (`state-too-large`).

mod batches;
mod calls;
mod emitter;
mod guest;
mod hopping;
mod pending_results;
mod plan;
mod planned_windows;
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
use crate::record::{Record, Timestamp, length};
use crate::state::aggregate_windows::AggregateWindows;
use crate::state::keys::{AGGREGATE_OVERHEAD, decode_aggregate, encode_aggregate};
use crate::state::state_cache::StateCache;
use crate::step::{Item, Parent, Step, TaskError, UnusableRecord, inherited};
use crate::topology::{Call, Emit};
use batches::batches;
use guest::Guest;
pub(crate) use pending_results::{PendingResult, PendingResults};

/// The memory of an aggregate between runs.
pub(crate) struct AggregateMemory {
    /// Its windows, if it has windows.
    pub(crate) windows: Option<AggregateWindows>,
    /// Without windows: the states of recent keys.
    pub(crate) states: StateCache,
    pub(crate) emit: Emit,
    /// With [`Emit::Commit`](crate::topology::Emit::Commit): results that wait for the next commit.
    pub(crate) pending: PendingResults,
}

/// The items of one key, with their state.
struct KeyGroup {
    key: Bytes,
    timestamp: Timestamp,
    state: Option<Stored>,
    /// About how many bytes the state has after the items.
    bytes: usize,
    /// Indexes of the items.
    items: Vec<usize>,
}

impl KeyGroup {
    /// Number of records, and bytes.
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
    memory: &mut NodeMemory,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    if step.has_commit_remainder() {
        step.take_remainder();
        flush(step, memory);
    }
    let NodeMemory::Aggregate(memory) = memory else { return Ok(()) };
    if memory.windows.is_some() {
        return windowed::process(step, items, memory, call, logic);
    }
    let AggregateMemory { states, pending, emit, .. } = &mut **memory;
    let mut pending = (*emit == Emit::Commit).then_some(pending);
    let mut rest = usable(step, items);
    while !rest.is_empty() && !step.is_full() {
        let (groups, items) = group(step, &rest, states)?;
        let later = rest.split_off(items);
        let items = std::mem::replace(&mut rest, later);
        process_part(step, &items, &groups, (states, pending.as_deref_mut()), call, logic)?;
        step.adapt_call_size(items.len());
    }
    step.requeue(rest);
    Ok(())
}

/// Aggregates some items.
fn process_part(
    step: &mut Step<'_>,
    items: &[Item],
    groups: &[KeyGroup],
    (states, mut pending): (&mut StateCache, Option<&mut PendingResults>),
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let function = step.function(call)?;
    let mut guest = Guest { logic, function, manifest: &call.manifest, effects: Vec::new() };
    let mut outcomes: Vec<Option<(Outcome, Timestamp)>> = vec![None; items.len()];
    for batch in batches(groups, step.options.batch, |key_group| key_group.size(items, call)) {
        let groups: Vec<Group<'_>> = batch.iter().map(|key_group| to_group(step, key_group, items)).collect();
        let results = if may_outgrow(step, call, groups.iter().map(|group| group.key.len()).max().unwrap_or(0)) {
            guest.rounds(&groups, |group, state| too_large(step, states.store(), group, state))
        } else {
            guest.groups(&groups, Mode::Each)
        };
        let results = results.map_err(|error| step.host_error(error))?;
        for (key_group, result) in batch.iter().zip(results) {
            store_result(step, states, key_group, result, items, &mut outcomes);
        }
    }
    step.effects(guest.effects);
    for (item, outcome) in items.iter().zip(outcomes) {
        let Some((outcome, timestamp)) = outcome else { continue };
        let mut record = Record { value: None, timestamp, window: None, ..item.record.clone() };
        // The result covers records of many windows, so it has no window.
        bounds::strip(&mut record.headers);
        match (&mut pending, outcome) {
            (Some(pending), Outcome::Outputs(outputs)) => {
                step.count_result(call, item.record.key.as_deref());
                pending.put(step, item, None, inherited(&record, outputs).collect(), false);
            }
            (_, outcome) => step.apply_outcome(&Parent { path: &item.path, record: &record }, outcome, call)?,
        }
    }
    Ok(())
}

/// Closes all open windows.
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

/// Emits pending results, as many as fit into a pass.
pub(super) fn flush(step: &mut Step<'_>, memory: &mut NodeMemory) {
    if let NodeMemory::Aggregate(memory) = memory {
        memory.pending.emit_all(step);
    }
}

/// Whether a state could exceed the limit of an entry. A state has to fit into the guest's memory, so with the usual
/// limits it can't. If it could, calls have one record per key, to show which record made the state too large.
fn may_outgrow(step: &Step<'_>, call: &Call, key: usize) -> bool {
    let memory = step.topology.plugins.get(call.plugin.0).map_or(usize::MAX, |plugin| plugin.limits.memory);
    memory.saturating_add(key).saturating_add(AGGREGATE_OVERHEAD) > step.options.state_bytes
}

/// The items with key and value; others are rejected, as in Kafka Streams' aggregates without windows.
fn usable(step: &mut Step<'_>, items: Vec<Item>) -> Vec<Item> {
    let mut good = Vec::with_capacity(items.len());
    for item in items {
        let lacks = item.record.key.is_none() || item.record.value.is_none();
        if lacks && item.row.change() == Change::Subtract {
            // It was rejected, and counted, when it was new.
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

/// Groups the first items by key, as many as fit into a call, and returns their number. In the budget, an item counts
/// with the size of the state after it: about the size before, plus the item's.
fn group(step: &Step<'_>, items: &[Item], states: &mut StateCache) -> Result<(Vec<KeyGroup>, usize), TaskError> {
    let mut groups: Vec<KeyGroup> = Vec::new();
    let mut places: HashMap<&Bytes, usize> = HashMap::new();
    let (mut budget, mut grouped) = (step.budget(), 0);
    for (number, item) in items.iter().take(step.call_size()).enumerate() {
        if budget.is_full() {
            break;
        }
        grouped = number + 1;
        let Some(key) = &item.record.key else { continue };
        let place = *places.entry(key).or_insert(groups.len());
        if place == groups.len() {
            let (timestamp, state) = load(step, states, key)?;
            let bytes = state.as_ref().map_or(0, |state| state.bytes.len());
            groups.push(KeyGroup { key: key.clone(), timestamp, state, bytes, items: Vec::new() });
        }
        if let Some(key_group) = groups.get_mut(place) {
            key_group.bytes = key_group.bytes.saturating_add(length(&item.record.value));
            budget.take(key_group.bytes);
            key_group.items.push(number);
        }
    }
    Ok((groups, grouped))
}

fn load(step: &Step<'_>, states: &mut StateCache, key: &[u8]) -> Result<(Timestamp, Option<Stored>), TaskError> {
    let Some(bytes) = states.get(step.state, key)? else { return Ok((Timestamp::MIN, None)) };
    let (timestamp, stored) = decode_aggregate(&bytes).ok_or_else(|| BackendError {
        store: step.node.name.clone(),
        reason: "a state is shorter than its header".into(),
    })?;
    Ok((timestamp, Some(stored)))
}

fn to_group<'i>(step: &Step<'i>, key_group: &'i KeyGroup, items: &'i [Item]) -> Group<'i> {
    let items = key_group.items.iter().filter_map(|number| items.get(*number));
    let entries = items.map(|item| (item.row.change(), item.record.message(step.name_of(item.from)))).collect();
    Group { key: &key_group.key, window: None, state: key_group.state.clone(), absorbed: Vec::new(), entries }
}

/// The failure if a state is too large for its store.
fn too_large(step: &Step<'_>, store: StoreId, group: &Group<'_>, state: &Stored) -> Option<Failure> {
    step.entry_too_large(store, group.key.len(), state.bytes.len() + AGGREGATE_OVERHEAD)
}

/// Stores the new state, and returns each outcome with its time: the highest of the records in the state. When a state
/// is deleted, in the middle or at the end of a group, its time starts anew.
fn store_result(
    step: &mut Step<'_>,
    states: &mut StateCache,
    key_group: &KeyGroup,
    result: Grouped,
    items: &[Item],
    outcomes: &mut [Option<(Outcome, Timestamp)>],
) {
    let (mut timestamp, mut changed) = (key_group.timestamp, false);
    let mut deleted = result.deleted_after.into_iter().peekable();
    for (index, (number, outcome)) in key_group.items.iter().zip(result.outcomes).enumerate() {
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
        // The state is in memory until the commit, even if the step emits nothing.
        step.spend(length(&bytes));
        states.put(step.state, key_group.key.clone(), bytes);
    }
}

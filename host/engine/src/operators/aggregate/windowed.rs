//! Aggregates with windows.
//!
//! The host alone decides what happens to each record, in the order of processing, and makes the calls of many records
//! together. A [plan](super::plan) has both for a batch of records, on the assumption that all of them succeed. If one
//! doesn't (it fails, is skipped, or deletes its state), the step drops the plan and plans fewer records, down to one.
//! A record that doesn't succeed changes no window: it goes into all of its windows or none, and leaves neither a
//! window nor a merged session. It only advances time.
//!
//! The step emits a final result after the record that closes the window. In Kafka Streams a window store has a
//! retention, also for final results: if time jumps by more than a window, open windows are lost, and so are sessions
//! in a segment that has expired. Here none is lost, unless the step has a `retention`: then windows of a fixed length
//! expire as in Kafka Streams, and are counted (`expired-window`).

use super::AggregateMemory;
use super::calls::{Calls, GroupResults, state_of};
use super::emitter::ResultEmitter;
use super::guest::Guest;
use super::plan::{Plan, PlannedRecord, ResultSource};
use super::planner::Planner;
use super::{hopping, session, sliding};
use crate::logic::Logic;
use crate::path::Path;
use crate::ports::{BackendError, Group, Outcome, Stored};
use crate::record::{END_OF_TIME, Headers, Record, Timestamp, length};
use crate::row::Row;
use crate::state::aggregate_windows::{AggregateWindows, open_key};
use crate::state::keys::{AGGREGATE_OVERHEAD, WINDOW_KEY_OVERHEAD, encode_aggregate};
use crate::step::{Item, Parent, Step, TaskError, UnusableAction, UnusableRecord};
use crate::topology::{Call, WindowKind};

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    memory: &mut AggregateMemory,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    if let Some(remainder) = step.take_remainder() {
        emit_closed(step, memory, (&remainder.path, remainder.child), call, logic)?;
        if step.is_full() {
            step.requeue(items);
            return Ok(());
        }
    }
    let AggregateMemory { windows: Some(windows), pending, .. } = memory else { return Ok(()) };
    let mut items = usable(step, items, windows.windows.kind);
    let joint = !may_outgrow(step, call, &items);
    let function = step.function(call)?;
    let batch = step.options.batch.max(1);
    let (mut done, mut size) = (0, batch);
    while let Some(rest) = items.get(done..).filter(|rest| !rest.is_empty()) {
        if step.is_full() {
            step.requeue(items.split_off(done));
            return Ok(());
        }
        let mut guest = Guest { logic: &mut *logic, function, manifest: &call.manifest, effects: Vec::new() };
        let plan = plan_records(step, windows, rest.get(..size).unwrap_or(rest), joint)?;
        let now = rest.get(..plan.records.len()).unwrap_or(rest);
        let results = call_guest(step, windows, now, &plan, &mut guest)?;
        let (plan, results, failed) = match (results, now) {
            (None, _) => {
                // Much smaller, so that one failing record in a hundred doesn't repeat the calls of the others each
                // time.
                size = (now.len() / 4).max(1);
                continue;
            }
            (Some(results), [one]) => match verdict(&plan, &results) {
                None => (plan, results, None),
                Some(outcome) => {
                    let plan = plan_time_only(step, windows, one)?;
                    // The effects of the first call count, not those of this one.
                    let (logic, manifest, effects) = (&mut *guest.logic, guest.manifest, Vec::new());
                    let mut again = Guest { logic, function, manifest, effects };
                    let results = call_guest(step, windows, now, &plan, &mut again)?.unwrap_or_default();
                    (plan, results, Some(outcome))
                }
            },
            (Some(results), _) => (plan, results, None),
        };
        let effects = guest.effects;
        step.effects(effects);
        match (failed, now) {
            (Some(outcome), [one]) => {
                step.apply_outcome(&Parent { path: &one.path, record: &one.record }, outcome, call)?;
            }
            _ => now.iter().for_each(|item| step.count_result(call, item.record.key.as_deref())),
        }
        let mut emitter = ResultEmitter { step, emit: windows.emit, pending, results, call };
        let mut child = 0;
        for (item, planned) in now.iter().zip(&plan.records) {
            child = emitter.record(item, planned, 0)?;
        }
        let results = emitter.results;
        if let (Some(_), Some(last)) = (&plan.more, now.last()) {
            step.set_remainder(&last.path, child, None);
        }
        store_results(step, windows, plan, &results);
        (done, size) = (done + now.len(), size.saturating_mul(2).min(batch));
    }
    Ok(())
}

/// Closes all open windows, and emits their final results.
pub(super) fn close(
    step: &mut Step<'_>,
    memory: &mut AggregateMemory,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    if let AggregateMemory { windows: Some(windows), .. } = memory {
        windows.clock.time = END_OF_TIME;
    }
    let place = step.next_wake_path();
    emit_closed(step, memory, (&place, 0), call, logic)
}

/// Closes windows at the current stream time, as many as fit into a pass, and emits their final results as children of
/// `path` from number `child` on.
fn emit_closed(
    step: &mut Step<'_>,
    memory: &mut AggregateMemory,
    (path, child): (&Path, u32),
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let AggregateMemory { windows: Some(windows), pending, .. } = memory else { return Ok(()) };
    let (key, value, headers, window) = (None, None, Headers::EMPTY, None);
    let record = Record { key, value, timestamp: Timestamp::MIN, headers, window };
    let item = Item { path: path.clone(), from: step.id, input: 0, record, row: Row::New };
    let (function, manifest) = (step.function(call)?, &call.manifest);
    let mut guest = Guest { logic, function, manifest, effects: Vec::new() };
    let plan = plan_time_only(step, windows, &item)?;
    let results = call_guest(step, windows, std::slice::from_ref(&item), &plan, &mut guest)?.unwrap_or_default();
    step.effects(guest.effects);
    let mut emitter = ResultEmitter { step, emit: windows.emit, pending, results, call };
    let mut child = child;
    for planned in &plan.records {
        child = emitter.record(&item, planned, child)?;
    }
    let results = emitter.results;
    if plan.more.is_some() {
        step.set_remainder(path, child, None);
    }
    store_results(step, windows, plan, &results);
    Ok(())
}

/// The items with a key and, for sliding windows, a value; others are rejected, as in Kafka Streams.
fn usable(step: &mut Step<'_>, items: Vec<Item>, kind: WindowKind) -> Vec<Item> {
    let mut good = Vec::with_capacity(items.len());
    for item in items {
        if item.record.key.is_none() {
            let text = "an aggregate needs a key, and the record has none";
            step.reject(&item.path, UnusableRecord::null_key(step.node, text));
        } else if item.record.value.is_none() && matches!(kind, WindowKind::Sliding { .. }) {
            let text = "an aggregate with sliding windows has no use for a null value";
            step.reject(&item.path, UnusableRecord::null_value(text));
        } else if item.record.timestamp < 0 {
            let text = "no window begins before the epoch, and the record has a negative timestamp";
            step.reject(&item.path, UnusableRecord { code: "negative-timestamp", text, action: UnusableAction::Drop });
        } else {
            good.push(item);
        }
    }
    good
}

/// Whether a state could exceed the limit of an entry: then each state must be checked.
fn may_outgrow(step: &Step<'_>, call: &Call, items: &[Item]) -> bool {
    let key = items.iter().filter_map(|item| item.record.key.as_ref()).map(|key| key.len()).max().unwrap_or(0);
    super::may_outgrow(step, call, key + WINDOW_KEY_OVERHEAD)
}

/// Plans the first items, as many as fit into a pass.
fn plan_records(
    step: &Step<'_>,
    windows: &mut AggregateWindows,
    items: &[Item],
    joint: bool,
) -> Result<Plan, BackendError> {
    let kind = windows.windows.kind;
    let mut planner = Planner::new(step.state, windows, joint, step.budget(), items.len());
    for numbered in items.iter().enumerate() {
        planner.observe(&numbered.1.record);
        let (mut planned, closes) = match kind {
            WindowKind::Hopping { size, every } => (hopping::plan(&mut planner, numbered, (size, every))?, true),
            WindowKind::Sliding { difference } => sliding::plan(&mut planner, numbered, difference)?,
            WindowKind::Session { gap } => (session::plan(&mut planner, numbered, gap)?, true),
        };
        if closes {
            planner.close_windows(&mut planned)?;
        }
        planner.plan.records.push(planned);
        if planner.is_full() {
            break;
        }
    }
    Ok(planner.plan)
}

/// The plan for a record that doesn't succeed: it advances time and closes windows.
fn plan_time_only(step: &Step<'_>, windows: &mut AggregateWindows, item: &Item) -> Result<Plan, BackendError> {
    let (mut planner, mut planned) =
        (Planner::new(step.state, windows, false, step.budget(), 1), PlannedRecord::default());
    planner.observe(&item.record);
    planner.close_windows(&mut planned)?;
    planner.plan.records.push(planned);
    Ok(planner.plan)
}

fn call_guest(
    step: &Step<'_>,
    windows: &AggregateWindows,
    items: &[Item],
    plan: &Plan,
    guest: &mut Guest<'_>,
) -> Result<Option<GroupResults>, TaskError> {
    let too_large = |group: &Group<'_>, state: &Stored| {
        let key = group.key.len() + WINDOW_KEY_OVERHEAD;
        step.entry_too_large(windows.store, key, state.bytes.len() + AGGREGATE_OVERHEAD)
    };
    let mut calls = Calls { step, items, guest, too_large: &too_large };
    calls.run(&plan.groups).map_err(|error| step.host_error(error))
}

/// The outcome of a plan's only record if it doesn't succeed: the first of its windows decides.
fn verdict(plan: &Plan, results: &GroupResults) -> Option<Outcome> {
    let changes = plan.records.iter().flat_map(|planned| &planned.changes);
    let mut outcomes = changes.filter_map(|change| {
        let (group, index) = match change.result {
            ResultSource::Gone => return None,
            ResultSource::Entry(group, index) => (group, index),
            ResultSource::Value(group) => (group, 0),
        };
        results.get(group)?.as_ref()?.outcomes.get(index)
    });
    outcomes.find(|outcome| !matches!(outcome, Outcome::Outputs(_))).cloned()
}

/// Writes the new states of a plan's windows, and its clocks.
fn store_results(step: &mut Step<'_>, windows: &mut AggregateWindows, plan: Plan, results: &GroupResults) {
    let open = windows.open;
    (windows.clock, windows.earliest, windows.resume) = (plan.clock, plan.earliest, plan.more);
    step.set_budget(step.budget().min(plan.budget));
    if let Some(open) = open {
        for (entry, is_open) in plan.open {
            step.state.put(open, entry, is_open.then(|| bytes::Bytes::from_static(b"\0\0\0\0")));
        }
    }
    let mut bytes = 0;
    for (key, (window, live)) in plan.windows.into_all() {
        let value = live.and_then(|live| {
            let state = state_of(&live.state, results)?;
            Some(encode_aggregate(live.timestamp, &state))
        });
        if let (None, Some(open)) = (&value, open) {
            step.state.put(open, open_key(&key, window), None);
        }
        bytes += length(&value);
        windows.put(step.state, &key, window, value);
    }
    // The states are in memory until the commit, even if the step emits nothing.
    step.spend(bytes);
}

//! Rewriting entries of older state versions: a walk through the stores of the functions whose deployment asks for it,
//! between the runs of a task, a part at a time.
//!
//! A record that comes meanwhile may rewrite an entry before the walk does. The walk reads what the open transaction has
//! written, so it finds that entry in the new version.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Task, TaskOptions, shape};
use crate::deployment::RewriteCounts;
use crate::logic::Logic;
use crate::operators::NodeMemory;
use crate::ports::{Attempt, CallError, FunctionId, Scan, StoreId, Stored};
use crate::state::TaskState;
use crate::state::aggregate_windows::{entry_of, time_of};
use crate::state::keys::{decode_aggregate, decode_stored, encode_aggregate, encode_stored, version_of};
use crate::step::TaskError;
use crate::topology::{Operator, Topology};

/// Entries that are looked at for one that may be rewritten: to look costs about this much less.
const LOOKS: usize = 32;

/// Values in the first call of a walk, when it is unknown how long the rule takes.
const FIRST_CALL_SIZE: usize = 8;

/// Most bytes of values in one call.
const CALL_BYTES: usize = 1 << 20;

/// The walk of a task through its stores. A driver may keep it at a commit, for the [next](Task::resume_walk) opening.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    places: Vec<Place>,
    /// The place that it is in, and the first key that it hasn't looked at.
    at: usize,
    from: Bytes,
    /// Most values of the next call. It has no effect on results.
    call_size: usize,
    /// By plugin.
    counts: BTreeMap<String, RewriteCounts>,
}

/// A store of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    node: usize,
    step: String,
    function: FunctionId,
    /// Plugin, and function and store.
    plugin: String,
    name: String,
    store: StoreId,
    /// Index of the store in the function's manifest.
    index: usize,
    layout: Layout,
    /// The versions that the function reads.
    reads: Vec<u32>,
    /// The version that it writes now.
    version: u32,
    /// The change that has asked for the walk.
    request: u32,
}

/// The layout of a store's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Aggregate,
    KeyValue,
}

/// An entry of an older version.
struct Older {
    key: Bytes,
    value: Bytes,
    /// Number of entries that were looked at before it, in this part.
    before: usize,
}

/// What a part of a walk has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RewriteStep {
    /// Entries that were rewritten.
    pub rewritten: usize,
    /// The cost of the part, in entries that could have been rewritten.
    pub cost: usize,
    /// The [time limit](Logic::limit_time) is too short for a single value. The driver calls again without one, where that
    /// harms nothing: the limits of the rule end the call.
    pub is_stuck: bool,
}

impl Walk {
    /// The walk that the deployments ask for, or the one that is under way if they still ask for it.
    pub(super) fn of(self, topology: &Topology, options: &TaskOptions) -> Self {
        let nodes = shape(topology, options.subtopology).nodes.iter().enumerate();
        let calls = nodes.filter_map(|(number, node)| Some((number, node, node.operator.call()?)));
        let mut places = Vec::new();
        for (number, node, call) in calls {
            let deployed = options.deployments.get(call.plugin.0).zip(topology.plugins.get(call.plugin.0));
            let Some((deployed, plugin)) = deployed else { continue };
            let Some(rewrites) = &deployed.rewrites else { continue };
            let layout = match &node.operator {
                Operator::Aggregate { .. } => Layout::Aggregate,
                _ => Layout::KeyValue,
            };
            let stores = node.operator.function_stores().iter().zip(&call.manifest.stores);
            for (index, (store, manifest)) in stores.enumerate() {
                let name = format!("{}/{}", call.manifest.name, manifest.name);
                let Some(version) = rewrites.versions.get(&name) else { continue };
                places.push(Place {
                    node: number,
                    step: node.name.clone(),
                    function: FunctionId { deployment: deployed.id, function: call.function },
                    plugin: plugin.name.clone(),
                    name,
                    store: *store,
                    index,
                    layout,
                    reads: manifest.reads.clone(),
                    version: *version,
                    request: rewrites.request,
                });
            }
        }
        if places == self.places { self } else { Self { places, call_size: FIRST_CALL_SIZE, ..Self::default() } }
    }

    /// Goes on with this entry, which it had passed with as many others.
    fn go_back(&mut self, place: &Place, key: Bytes, entries: usize) {
        self.at = self.places.iter().position(|known| known == place).unwrap_or(self.at);
        self.from = key;
        let counts = self.counts_of(place);
        counts.looked = counts.looked.saturating_sub(entries as u64);
    }

    fn counts_of(&mut self, place: &Place) -> &mut RewriteCounts {
        self.counts.entry(place.plugin.clone()).or_default()
    }
}

impl Place {
    /// The state of a value, if the function can read it; otherwise the reason.
    fn readable(&self, value: &Bytes) -> Result<Stored, String> {
        let state = match self.layout {
            Layout::Aggregate => decode_aggregate(value).map(|(_, state)| state),
            Layout::KeyValue => decode_stored(value),
        };
        let state = state.ok_or("it is shorter than its header")?;
        match self.reads.contains(&state.version) {
            true => Ok(state),
            false => Err(format!("it is of version {}, and the function reads {:?}", state.version, self.reads)),
        }
    }

    /// The value of an entry with another state; otherwise the reason.
    fn with_state(&self, entry: &Older, state: &Stored, limit: usize) -> Result<Bytes, String> {
        let value = match (self.layout, decode_aggregate(&entry.value)) {
            (Layout::Aggregate, Some((timestamp, _))) => encode_aggregate(timestamp, state),
            _ => encode_stored(state),
        };
        match entry.key.len().saturating_add(value.len()) {
            size if size > limit => Err(format!("it would have {size} bytes, and {limit} are the most")),
            _ => Ok(value),
        }
    }

    /// Whether the entry is a window that no record can reach any more.
    fn has_expired(&self, memory: &NodeMemory, key: &[u8]) -> bool {
        let NodeMemory::Aggregate(memory) = memory else { return false };
        let Some(windows) = &memory.windows else { return false };
        let time = entry_of(windows.windows.kind, key).map(|(_, window)| time_of(windows.windows.kind, window));
        time.is_some_and(|time| time < windows.horizon(&windows.clock))
    }

    /// The record's key of an entry, for people.
    fn shown_key(&self, memory: &NodeMemory, key: &[u8]) -> String {
        let windows = match memory {
            NodeMemory::Aggregate(memory) => memory.windows.as_ref(),
            _ => None,
        };
        let (key, window) = match windows.and_then(|windows| entry_of(windows.windows.kind, key)) {
            Some((key, window)) => (key, format!(" in the window from {} to {}", window.start, window.end)),
            None => (key, String::new()),
        };
        let bytes = || key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match std::str::from_utf8(key) {
            Ok(text) if !text.contains(char::is_control) => format!("`{text}`{window}"),
            _ => format!("0x{}{window}", bytes()),
        }
    }

    /// Writes an entry where its step writes it, so that what the step has in memory stays right.
    fn put(&self, state: &mut TaskState, memory: &mut NodeMemory, key: Bytes, value: Bytes) {
        match memory {
            NodeMemory::Aggregate(memory) => match &mut memory.windows {
                None => memory.states.put(state, key, Some(value)),
                Some(windows) => match entry_of(windows.windows.kind, &key) {
                    Some((record_key, window)) => windows.put(state, record_key, window, Some(value)),
                    None => drop(state.put(self.store, key, Some(value))),
                },
            },
            _ => drop(state.put(self.store, key, Some(value))),
        }
    }
}

impl Task {
    /// Rewrites some of the entries that are in older state versions than those that its functions write now, if their
    /// deployments ask for it: at most `limit`, which also bounds how many entries it looks at. The driver calls it
    /// between two runs. The changes are part of the open transaction.
    ///
    /// # Errors
    /// The state can't be read, or the host has failed. An entry that its rule can't rewrite stays as it is, and is
    /// counted.
    pub fn rewrite(&mut self, logic: &mut dyn Logic, limit: usize) -> Result<RewriteStep, TaskError> {
        let mut step = RewriteStep::default();
        // Its remainder may have read entries already.
        if self.unfinished.is_some() {
            return Ok(step);
        }
        while step.cost < limit
            && let Some(place) = self.walk.places.get(self.walk.at).cloned()
        {
            let (older, looked) = self.next_older(&place, limit - step.cost)?;
            step.cost += older.len().max(looked.div_ceil(LOOKS));
            let rewritten = self.rewrite_all(&place, older, logic)?;
            step.rewritten += rewritten.entries;
            if rewritten.is_late {
                step.is_stuck = rewritten.entries == 0 && self.walk.call_size == 1;
                self.walk.call_size = (self.walk.call_size / 2).max(1);
                break;
            }
            self.walk.call_size = self.walk.call_size.saturating_mul(2).min(self.options.batch).max(1);
        }
        Ok(step)
    }

    /// Whether there is nothing left to rewrite, or nothing to be rewritten.
    pub fn has_rewritten(&self) -> bool {
        self.walk.at >= self.walk.places.len()
    }

    /// How far it is, by plugin.
    pub fn rewrite_counts(&self) -> &BTreeMap<String, RewriteCounts> {
        &self.walk.counts
    }

    /// Its walk as it is now.
    pub fn walk(&self) -> &Walk {
        &self.walk
    }

    /// Goes on with a walk as it was at a commit of this task, if the deployments still ask for it.
    pub fn resume_walk(&mut self, walk: Walk) {
        self.walk = walk.of(&self.topology, &self.options);
    }

    /// The next entries of older versions, and the number of all entries that were looked at.
    fn next_older(&mut self, place: &Place, limit: usize) -> Result<(Vec<Older>, usize), TaskError> {
        let limit = limit.min(self.walk.call_size).max(1);
        let (mut older, mut looked, mut bytes, mut last) = (Vec::new(), 0, 0, None);
        self.state.scan(place.store, &self.walk.from, None, &mut |key, value| {
            if version_of(key, value).is_some_and(|version| version != place.version) {
                bytes += value.len();
                let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
                older.push(Older { key, value, before: looked });
            }
            looked += 1;
            if older.len() < limit && looked < limit * LOOKS && bytes < CALL_BYTES {
                return Scan::Continue;
            }
            last = Some(after(key));
            Scan::Stop
        })?;
        self.walk.counts_of(place).looked += looked as u64;
        match last {
            Some(next) => self.walk.from = next,
            None => (self.walk.at, self.walk.from) = (self.walk.at + 1, Bytes::new()),
        }
        Ok((older, looked))
    }

    /// Has the rule rewrite entries, and writes them. If the time for calls ends before, the walk goes back to the first
    /// entry that is left.
    fn rewrite_all(
        &mut self,
        place: &Place,
        older: Vec<Older>,
        logic: &mut dyn Logic,
    ) -> Result<RewrittenPart, TaskError> {
        let states: Vec<_> = older.iter().map(|entry| place.readable(&entry.value)).collect();
        let readable: Vec<_> = states.iter().flatten().cloned().collect();
        let (mut results, limit) = (call(place, &readable, logic)?.into_iter(), self.options.state_bytes);
        let mut part = RewrittenPart::default();
        let looked_in_part = older.last().map_or(0, |last| last.before + 1);
        for (entry, state) in older.into_iter().zip(states) {
            let result = match state {
                Err(reason) => Err(reason),
                Ok(_) => match results.next() {
                    Some(result) => result,
                    None => {
                        self.walk.go_back(place, entry.key, looked_in_part - entry.before);
                        part.is_late = true;
                        break;
                    }
                },
            };
            let value = result.and_then(|state| place.with_state(&entry, &state, limit));
            let Some(memory) = self.memory.nodes.get_mut(place.node) else { continue };
            match value {
                Ok(value) => {
                    part.entries += 1;
                    place.put(&mut self.state, memory, entry.key, value);
                }
                Err(_) if place.has_expired(memory, &entry.key) => {}
                Err(reason) => {
                    let reason = format!("the one of the key {}: {reason}", place.shown_key(memory, &entry.key));
                    self.walk.counts_of(place).leave(&place.name, 1, &reason);
                }
            }
        }
        self.walk.counts_of(place).rewritten += part.entries as u64;
        Ok(part)
    }
}

/// What a part of a walk has rewritten.
#[derive(Clone, Copy, Debug, Default)]
struct RewrittenPart {
    entries: usize,
    /// The time for calls has ended before its end.
    is_late: bool,
}

type Results = Vec<Result<Stored, String>>;

/// Calls the rule. If it breaks a limit, each value has a call of its own, which shows the value at fault. Returns fewer
/// results if the time for calls ends.
fn call(place: &Place, states: &[Stored], logic: &mut dyn Logic) -> Result<Results, TaskError> {
    if states.is_empty() {
        return Ok(Results::new());
    }
    match call_part(place, states, Attempt::Batch, logic)? {
        Called::Results(results) => return Ok(results),
        Called::Late => return Ok(Results::new()),
        Called::Broken(_) => {}
    }
    let mut results = Results::new();
    for state in states {
        match call_part(place, std::slice::from_ref(state), Attempt::Verdict, logic)? {
            Called::Results(one) => results.extend(one),
            Called::Broken(reason) => results.push(Err(reason)),
            Called::Late => break,
        }
    }
    Ok(results)
}

/// The end of a call.
enum Called {
    Results(Results),
    /// The rule has broken a limit or the contract.
    Broken(String),
    /// The time for calls is over.
    Late,
}

fn call_part(place: &Place, states: &[Stored], attempt: Attempt, logic: &mut dyn Logic) -> Result<Called, TaskError> {
    match logic.rewrite(place.function, place.index, states, attempt) {
        // What a rule logs or counts belongs to records.
        Ok(called) => Ok(Called::Results(called.result)),
        Err(CallError::Guest { text, .. }) => Ok(Called::Broken(text)),
        Err(CallError::Overrun) => Ok(Called::Late),
        Err(CallError::Host(reason)) => Err(TaskError::Host { step: place.step.clone(), reason }),
    }
}

/// The first key after this one.
fn after(key: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

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
use crate::ports::{CallError, FunctionId, Scan, StoreId, Stored};
use crate::state::TaskState;
use crate::state::aggregate_windows::entry_of;
use crate::state::keys::{decode_aggregate, decode_stored, encode_aggregate, encode_stored, version_of};
use crate::step::TaskError;
use crate::topology::{Operator, Topology};

/// Entries that are looked at for one that may be rewritten: to look costs about this much less.
const LOOKS: usize = 32;

/// Most bytes of values in one call.
const CALL_BYTES: usize = 1 << 20;

/// The walk of a task through its stores.
#[derive(Debug, Default)]
pub(super) struct Walk {
    places: Vec<Place>,
    /// The place that it is in, and the first key that it hasn't looked at.
    at: usize,
    from: Bytes,
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
}

/// What a part of a walk has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RewriteStep {
    /// Entries that were rewritten.
    pub rewritten: usize,
    /// The cost of the part, in entries that could have been rewritten.
    pub cost: usize,
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
                });
            }
        }
        if places == self.places { self } else { Self { places, ..Self::default() } }
    }

    /// Goes on with this entry, which it had passed.
    fn go_back(&mut self, place: &Place, key: Bytes) {
        self.at = self.places.iter().position(|known| known == place).unwrap_or(self.at);
        self.from = key;
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
            let (rewritten, all) = self.rewrite_all(&place, older, logic)?;
            step.rewritten += rewritten;
            if !all {
                break;
            }
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

    /// The next entries of older versions, and the number of all entries that were looked at.
    fn next_older(&mut self, place: &Place, limit: usize) -> Result<(Vec<Older>, usize), TaskError> {
        let limit = limit.min(self.options.batch).max(1);
        let (mut older, mut looked, mut bytes, mut last) = (Vec::new(), 0, 0, None);
        self.state.scan(place.store, &self.walk.from, None, &mut |key, value| {
            looked += 1;
            if version_of(key, value).is_some_and(|version| version != place.version) {
                bytes += value.len();
                older.push(Older { key: Bytes::copy_from_slice(key), value: Bytes::copy_from_slice(value) });
            }
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

    /// Has the rule rewrite entries, and writes them. Returns their number, and whether it came to the end of them: if the
    /// time for calls ends before, the walk goes back to the first entry that is left.
    fn rewrite_all(
        &mut self,
        place: &Place,
        older: Vec<Older>,
        logic: &mut dyn Logic,
    ) -> Result<(usize, bool), TaskError> {
        let (mut states, mut entries) = (Vec::new(), Vec::new());
        for entry in older {
            match place.readable(&entry.value) {
                Ok(state) => {
                    states.push(state);
                    entries.push(entry);
                }
                Err(reason) => self.walk.counts_of(place).leave(&place.name, 1, &reason),
            }
        }
        let (mut rewritten, mut all, limit) = (0, true, self.options.state_bytes);
        let mut results = call(place, &states, logic)?.into_iter();
        for entry in entries {
            let Some(result) = results.next() else {
                self.walk.go_back(place, entry.key);
                all = false;
                break;
            };
            let value = result.and_then(|state| place.with_state(&entry, &state, limit));
            match (value, self.memory.nodes.get_mut(place.node)) {
                (Ok(value), Some(memory)) => {
                    rewritten += 1;
                    place.put(&mut self.state, memory, entry.key, value);
                }
                (Err(reason), _) => self.walk.counts_of(place).leave(&place.name, 1, &reason),
                (Ok(_), None) => {}
            }
        }
        self.walk.counts_of(place).rewritten += rewritten as u64;
        Ok((rewritten, all))
    }
}

type Results = Vec<Result<Stored, String>>;

/// Calls the rule. If it breaks a limit, each value has a call of its own, which shows the value at fault. Returns fewer
/// results, but one at least, if the time for calls ends.
fn call(place: &Place, states: &[Stored], logic: &mut dyn Logic) -> Result<Results, TaskError> {
    let mut results = Vec::new();
    if states.is_empty() || call_part(place, states, logic, &mut results)? {
        return Ok(results);
    }
    for state in states {
        if call_part(place, std::slice::from_ref(state), logic, &mut results)? {
            continue;
        }
        if !results.is_empty() {
            break;
        }
        // The limits of its rule end a single value in time. It is the only one without another limit.
        logic.limit_time(None);
        return match call_part(place, std::slice::from_ref(state), logic, &mut results)? {
            true => Ok(results),
            false => Err(TaskError::Overrun { step: place.step.clone() }),
        };
    }
    Ok(results)
}

/// Makes one call, and appends its results. False if it has none: the time for calls is over, or one of several values is
/// at fault.
fn call_part(
    place: &Place,
    states: &[Stored],
    logic: &mut dyn Logic,
    results: &mut Results,
) -> Result<bool, TaskError> {
    match logic.rewrite(place.function, place.index, states) {
        Ok(called) => results.extend(called.result),
        Err(CallError::Guest { text, .. }) if states.len() == 1 => results.push(Err(text)),
        Err(CallError::Guest { .. } | CallError::Overrun) => return Ok(false),
        Err(CallError::Host(reason)) => return Err(TaskError::Host { step: place.step.clone(), reason }),
    }
    Ok(true)
}

/// The first key after this one.
fn after(key: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

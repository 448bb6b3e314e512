//! Runs plugins natively, through the same adapter as in a guest: for `cargo test`.
//!
//! ```
//! use millrace_sdk::prelude::*;
//! use millrace_sdk::testing::{Bench, Record};
//!
//! /// How often a key was seen.
//! #[process]
//! fn seen(key: Key<String>, value: &str, times: Store<String, u64>) -> Result<String> {
//!     let n = times.get(&key)?.unwrap_or(0) + 1;
//!     times.put(&key, &n)?;
//!     Ok(format!("{value} {n}"))
//! }
//!
//! plugin! { name: "seen", functions: [seen] }
//!
//! # fn main() {
//! let mut bench = Bench::new(&PLUGIN);
//! bench.process("seen", &Record::new("ann", "hello"));
//! let outcome = bench.process("seen", &Record::new("ann", "hello"));
//! assert_eq!(outcome.texts(), ["hello 2"]);
//! # }
//! ```

mod arena;
pub(crate) mod host;
mod kinds;
mod record;
mod stateful;

use std::collections::BTreeMap;

pub use crate::bindings::aggregate::exports::millrace::plugin::aggregate::{Change, Mode};
use crate::bindings::base::exports::millrace::plugin::meta::Manifest;
use crate::bindings::base::millrace::plugin::types::{NewValue, Outcome as RawOutcome};
use crate::function::Plugin;
use crate::host::Level;
use crate::{adapter, config};

use arena::{Arena, Input};
use host::Host;
pub use kinds::kinds;
pub use record::{Group, Grouped, Outcome, Pair, Put, Record};

/// A plugin with stores, timers and clocks of its own.
///
/// Stores and timers belong to a function. If a record fails or is skipped, its changes are undone, as in the host.
///
/// All methods take the function's name in the manifest.
///
/// # Panics
/// The methods panic if the plugin has no function of that name and role.
pub struct Bench {
    plugin: &'static Plugin,
    json: String,
    hosts: BTreeMap<u32, Host>,
    logs: Vec<(Level, String)>,
    counts: BTreeMap<String, u64>,
}

impl Bench {
    /// A plugin with the config `{}`.
    ///
    /// # Panics
    /// If the plugin refuses this config.
    #[allow(clippy::panic, reason = "a test bench")]
    pub fn new(plugin: &'static Plugin) -> Self {
        Self::with_config(plugin, "{}").unwrap_or_else(|error| panic!("config {{}}: {error}"))
    }

    /// A plugin with a config.
    ///
    /// # Errors
    /// The plugin's reason to refuse the config.
    pub fn with_config(plugin: &'static Plugin, json: &str) -> Result<Self, String> {
        adapter::configure(plugin, json, Vec::new())?;
        let (hosts, logs, counts) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Ok(Self { plugin, json: json.to_owned(), hosts, logs, counts })
    }

    /// The plugin's manifest.
    pub fn manifest(&self) -> Manifest {
        adapter::describe(self.plugin)
    }

    /// Lines that the plugin logged.
    pub fn logs(&self) -> &[(Level, String)] {
        &self.logs
    }

    /// The value of one of the plugin's counters.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Transforms a batch of records. Returns one outcome for each.
    pub fn transform(&mut self, function: &str, records: &[Record]) -> Vec<Outcome> {
        let index = self.index(function);
        let mut arena = Arena::default();
        let messages = records.iter().map(|record| arena.message(record)).collect();
        let payload = arena.payload();
        let reply = self.call(index, || adapter::transform(self.plugin, index, payload, messages));
        let ports = self.ports(index);
        arena::outcomes(&reply, &ports, records.iter().map(Input::record))
    }

    /// Joins a batch of pairs. Returns one outcome for each.
    pub fn join(&mut self, function: &str, pairs: &[Pair]) -> Vec<Outcome> {
        let index = self.index(function);
        let mut arena = Arena::default();
        let raw = pairs.iter().map(|pair| arena.pair(pair)).collect();
        let payload = arena.payload();
        let reply = self.call(index, || adapter::join(self.plugin, index, payload, raw));
        let ports = self.ports(index);
        arena::outcomes(&reply, &ports, pairs.iter().map(Input::pair))
    }

    /// Joins a batch of bare values, and hands the value of each output to `put`. It is for benchmarks: it does no more
    /// than a call of the host does. Returns the number of pairs that weren't processed.
    pub fn join_values(&mut self, function: &str, pairs: &[(&[u8], &[u8])], mut put: impl FnMut(&[u8])) -> usize {
        let index = self.index(function);
        let size = pairs.iter().map(|(left, right)| left.len() + right.len()).sum();
        let mut arena = Arena::with_capacity(size);
        let raw = pairs.iter().map(|(left, right)| arena.values(left, right)).collect();
        let plugin = self.plugin;
        let reply = self.call(index, || adapter::join(plugin, index, arena.payload(), raw));
        for output in &reply.outputs {
            if let NewValue::Bytes(span) = output.value {
                put(arena::bytes(&reply.arena, span));
            }
        }
        reply.outcomes.iter().filter(|outcome| !matches!(outcome, RawOutcome::Outputs(_))).count()
    }

    #[allow(clippy::panic, reason = "a test bench")]
    fn index(&self, function: &str) -> u32 {
        let index = self.plugin.functions.iter().position(|entry| entry.spec.name == function);
        index.unwrap_or_else(|| panic!("plugin `{}` has no function `{function}`", self.plugin.name)) as u32
    }

    fn ports(&self, index: u32) -> Vec<&'static str> {
        let entry = self.plugin.functions.get(index as usize);
        entry.map(|entry| entry.spec.ports.iter().map(|port| port.name).collect()).unwrap_or_default()
    }

    /// Runs `work` with this function's host as the imports.
    #[allow(clippy::expect_used, reason = "a test bench")]
    fn call<T>(&mut self, index: u32, work: impl FnOnce() -> T) -> T {
        // Another bench on this thread may have another config.
        config::configure(self.plugin, &self.json, Vec::new()).expect("the config was good before");
        let host = self.hosts.entry(index).or_default();
        host.at = None;
        let result = host::with(host, work);
        self.logs.append(&mut host.logs);
        for (name, n) in std::mem::take(&mut host.counts) {
            *self.counts.entry(name).or_default() += n;
        }
        result
    }
}

//! Descriptions of stores' contents: the meaning of entries depends on the step that writes them. A step that would
//! misread the entries of another kind of step, or of other windows, is refused before it runs.
//!
//! Each driver keeps the descriptions in its own way; their meaning and the checks are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::KeyCodec;
use crate::ports::StoreId;
use crate::topology::{Call, Emit, Identity, Node, Operator, TopicId, Topology, WindowKind, Windows};

/// The contents of a store. New versions only add members to its serialised form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Name of the step that writes it.
    pub step: String,
    /// Meaning of the entries.
    pub entries: Entries,
    /// Type of the keys, as far as it is known.
    #[serde(default)]
    pub key: KeyCodec,
    /// Name, in its manifest, of the plugin that writes the entries; empty if none does, or if it isn't known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    /// For a join of streams: its left and right input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<[String; 2]>,
    /// Input topics of its task; empty if they aren't known. If a version of the pipeline had only other inputs, the
    /// group could assign the tasks of both versions to two processes at the same time, and both would write the
    /// store's changelog.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inputs: BTreeSet<String>,
}

impl Contents {
    /// The function whose state it is, if it is that of one.
    pub fn function(&self) -> Option<&str> {
        match &self.entries {
            Entries::Aggregate { function, .. } | Entries::Process { function } => Some(function),
            _ => None,
        }
    }
}

/// The meaning of a store's entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Entries {
    /// Rows of a table.
    Table,
    /// Rows of a global table.
    GlobalTable,
    /// Records of a join of streams. They don't depend on its window.
    Join,
    /// Identities of a deduplicating step.
    Seen {
        /// What identifies a record.
        by: Vec<String>,
    },
    /// States of an aggregate.
    Aggregate {
        /// The aggregate function.
        function: String,
        /// Its windows.
        windows: Option<WindowShape>,
        /// Whether it emits final results only.
        #[serde(default, rename = "final")]
        is_final: bool,
    },
    /// Open windows of an aggregate.
    OpenWindows {
        /// The aggregate's windows.
        windows: Option<WindowShape>,
    },
    /// State of a processor.
    Process {
        /// The process function.
        function: String,
    },
    /// Timers of a processor.
    Timers,
}

/// Which windows a record belongs to; times in milliseconds. Grace and retention aren't part of it: they only decide
/// how long a window lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowShape {
    /// Tumbling windows of this length.
    Tumbling(i64),
    /// Hopping windows: length, and distance between starts.
    Hopping(i64, i64),
    /// Sliding windows of this length.
    Sliding(i64),
    /// Sessions with this gap.
    Session(i64),
}

/// Another kind of step has written a store: restore the old step, give the new one another name, or start with empty
/// state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "step `{step}`: there is state in its store `{store}` of {before}, and now it is {now}: {danger}, or give it another name, \
     under which it begins with empty state"
)]
pub struct Changed {
    /// The step.
    pub step: String,
    /// Its store.
    pub store: String,
    /// The contents that it has.
    pub before: String,
    /// The contents that the step would write.
    pub now: String,
    /// The consequences, and the way to keep the state.
    pub danger: &'static str,
}

/// What becomes of the state in a store when a pipeline takes an app over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// The step goes on with it.
    Kept,
    /// The step begins with empty state.
    Empty,
    /// No step uses it any more.
    Orphan,
    /// The step would misread it: a start is refused.
    Refused(Changed),
}

/// The changes of a pipeline's state: name of a store, its contents, and what becomes of them.
pub type StateChanges = Vec<(String, Contents, StateChange)>;

/// What becomes of each store, by its name, with the contents that it has from then on or had before. `holds_any` says
/// whether a store has entries.
///
/// # Errors
/// `holds_any` fails.
pub fn changes<E>(
    before: &BTreeMap<String, Contents>,
    now: &BTreeMap<String, Contents>,
    holds_any: &mut dyn FnMut(&str) -> Result<bool, E>,
) -> Result<StateChanges, E> {
    let mut changes = Vec::new();
    for (store, contents) in now {
        let change = match before.get(store) {
            Some(before) if holds_any(store)? => {
                before.goes_on_as(contents, store).map_or_else(StateChange::Refused, |_| StateChange::Kept)
            }
            _ => StateChange::Empty,
        };
        changes.push((store.clone(), contents.clone(), change));
    }
    for (store, contents) in before.iter().filter(|(store, _)| !now.contains_key(*store)) {
        if holds_any(store)? {
            changes.push((store.clone(), contents.clone(), StateChange::Orphan));
        }
    }
    Ok(changes)
}

const OTHER_ENTRIES: &str = "entries of the one would be taken for entries of the other. Make the step what it was";
const OTHER_INPUTS: &str = "processes with the old files and with the new ones could write its changelog at the same time. \
                            Merge the old and the new topics first, in a version of its own, and leave the old ones out in the \
                            next";

impl Contents {
    /// The contents of `store` after a step with the contents `now` takes it over from this one.
    ///
    /// # Errors
    /// The new step would misread the entries.
    pub fn goes_on_as(&self, now: &Self, store: &str) -> Result<Self, Changed> {
        // Any key is valid as bytes.
        let keys = self.key == now.key || [self.key, now.key].contains(&KeyCodec::Bytes);
        let plugins = self.plugin == now.plugin || self.plugin.is_empty() || now.plugin.is_empty();
        let sides = !self.crosses(now);
        let inputs = !self.inputs.is_disjoint(&now.inputs) || self.inputs.is_empty() || now.inputs.is_empty();
        if keys && plugins && sides && inputs && self.entries == now.entries {
            let key = if now.key == KeyCodec::Bytes { self.key } else { now.key };
            return Ok(Self { key, ..now.clone() });
        }
        let describe = |contents: &Self| {
            let mut text = contents.entries.to_string();
            if !plugins {
                text += &format!(" of the plugin `{}`", contents.plugin);
            }
            if let (false, Some([left, right])) = (sides, &contents.sides) {
                text += &format!(", `{left}` on the left and `{right}` on the right");
            }
            if !inputs {
                let names: Vec<_> = contents.inputs.iter().map(|name| format!("`{name}`")).collect();
                text += &format!(" of what is in {}", names.join(", "));
            }
            if !keys {
                text += &format!(" with keys of the type `{}`", contents.key.name());
            }
            text
        };
        let (step, store) = (now.step.clone(), store.to_owned());
        let same = keys && plugins && sides && self.entries == now.entries;
        let danger = if same { OTHER_INPUTS } else { OTHER_ENTRIES };
        Err(Changed { step, store, before: describe(self), now: describe(now), danger })
    }

    /// Whether a side of a join has the other side's old input. A side whose input was renamed is no error.
    fn crosses(&self, now: &Self) -> bool {
        let both = self.sides.as_ref().zip(now.sides.as_ref());
        both.is_some_and(|(before, now)| before != now && (before[0] == now[1] || before[1] == now[0]))
    }
}

impl Topology {
    /// The contents of each store by name, without the meta store, whose keys describe themselves.
    pub fn contents(&self) -> BTreeMap<String, Contents> {
        let name = |topic: &TopicId| self.topics.get(topic.0).map(|topic| topic.name.clone());
        let mut contents = BTreeMap::new();
        for part in &self.subtopologies {
            let inputs: BTreeSet<_> = part.inputs.iter().filter_map(name).collect();
            for node in &part.nodes {
                let (plugin, sides) = origin(node);
                for (store, entries) in entries(node) {
                    let (plugin, sides, inputs) = (plugin.clone(), sides.clone(), inputs.clone());
                    contents.extend(
                        self.kept(store, &node.name, entries)
                            .map(|(store, kept)| (store, Contents { plugin, sides, inputs, ..kept })),
                    );
                }
            }
        }
        for table in &self.globals {
            contents.extend(self.kept(table.store, &table.name, Entries::GlobalTable));
        }
        contents
    }

    /// A store's name and contents, without plugin, sides and inputs.
    fn kept(&self, store: StoreId, step: &str, entries: Entries) -> Option<(String, Contents)> {
        let spec = self.stores.get(store.0)?;
        let (step, plugin, sides, inputs) = (step.to_owned(), String::new(), None, BTreeSet::new());
        Some((spec.name.clone(), Contents { step, entries, key: spec.key, plugin, sides, inputs }))
    }
}

/// The stores that a node writes, with the meaning of their entries.
fn entries(node: &Node) -> Vec<(StoreId, Entries)> {
    let function = |call: &Call| call.manifest.name.clone();
    match &node.operator {
        Operator::Table { store } => vec![(*store, Entries::Table)],
        Operator::StreamJoin { store, .. } => vec![(*store, Entries::Join)],
        Operator::Dedup { store, by, .. } => vec![(*store, Entries::Seen { by: by.iter().map(identity).collect() })],
        Operator::Aggregate { store, windows, emit, open, call, .. } => {
            let (windows, is_final) = (windows.map(|windows| shape(&windows)), *emit == Emit::Final);
            let states = Entries::Aggregate { function: function(call), windows, is_final };
            let open = open.map(|open| (open, Entries::OpenWindows { windows }));
            std::iter::once((*store, states)).chain(open).collect()
        }
        Operator::Process { stores, timers, call } => {
            let kept = stores.iter().map(|store| (*store, Entries::Process { function: function(call) }));
            kept.chain(timers.map(|store| (store, Entries::Timers))).collect()
        }
        Operator::Source { .. }
        | Operator::Transform { .. }
        | Operator::Merge
        | Operator::Lookup { .. }
        | Operator::TableJoin { .. }
        | Operator::Repartition { .. }
        | Operator::Sink { .. } => Vec::new(),
    }
}

/// The plugin whose states a node keeps, and the sides of a join.
fn origin(node: &Node) -> (String, Option<[String; 2]>) {
    match &node.operator {
        Operator::Aggregate { call, .. } | Operator::Process { call, .. } => (call.plugin_name.clone(), None),
        Operator::StreamJoin { sides, .. } => (String::new(), Some(sides.clone())),
        _ => Default::default(),
    }
}

fn identity(by: &Identity) -> String {
    match by {
        Identity::Header(name) => format!("header:{name}"),
        Identity::Field(name) => format!("field:{name}"),
    }
}

fn shape(windows: &Windows) -> WindowShape {
    match windows.kind {
        WindowKind::Hopping { size, every } if size == every => WindowShape::Tumbling(size),
        WindowKind::Hopping { size, every } => WindowShape::Hopping(size, every),
        WindowKind::Sliding { difference } => WindowShape::Sliding(difference),
        WindowKind::Session { gap } => WindowShape::Session(gap),
    }
}

impl fmt::Display for Entries {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => out.write_str("a table"),
            Self::GlobalTable => out.write_str("a global table"),
            Self::Join => out.write_str("a join of streams"),
            Self::Seen { by } => write!(out, "a deduplicating step by {}", by.join(", ")),
            Self::Aggregate { function, windows, is_final } => {
                write!(out, "an aggregate by `{function}`")?;
                write_windows(out, *windows)?;
                if *is_final { out.write_str(" and final results") } else { Ok(()) }
            }
            Self::OpenWindows { windows } => {
                out.write_str("the open windows of an aggregate")?;
                write_windows(out, *windows)
            }
            Self::Process { function } => write!(out, "a processor by `{function}`"),
            Self::Timers => out.write_str("the timers of a processor"),
        }
    }
}

fn write_windows(out: &mut fmt::Formatter<'_>, windows: Option<WindowShape>) -> fmt::Result {
    match windows {
        None => out.write_str(" without windows"),
        Some(windows) => write!(out, " with {windows}"),
    }
}

impl fmt::Display for WindowShape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tumbling(size) => write!(out, "tumbling windows of {}", DurationText(size)),
            Self::Hopping(size, every) => {
                write!(out, "hopping windows of {} every {}", DurationText(size), DurationText(every))
            }
            Self::Sliding(size) => write!(out, "sliding windows of {}", DurationText(size)),
            Self::Session(gap) => write!(out, "session windows with a gap of {}", DurationText(gap)),
        }
    }
}

/// Milliseconds, displayed as durations in pipeline files.
struct DurationText(i64);

impl fmt::Display for DurationText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let unit = units.into_iter().find(|(_, ms)| self.0 != 0 && self.0 % ms == 0);
        let (unit, ms) = unit.unwrap_or(("ms", 1));
        write!(out, "{}{unit}", self.0 / ms)
    }
}

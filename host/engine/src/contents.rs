//! What stores are filled with: what their entries mean follows from the step that writes them. A step that would read
//! the entries of another kind of step, or of other windows, as its own is refused before it runs.
//!
//! Where the notes are kept is the driver's business; what they say, and what may follow what, is the same on all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::KeyCodec;
use crate::ports::StoreId;
use crate::topology::{Call, Emit, Identity, Node, Operator, TopicId, Topology, WindowKind, Windows};

/// What a store is filled with. Members of its serialised form are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Name of the step that fills it.
    pub step: String,
    /// What the entries are.
    pub entries: Entries,
    /// How their keys are read, as far as that is known.
    #[serde(default)]
    pub key: KeyCodec,
    /// The plugin whose function they are the state of, by its own name; empty if they are of none, or if that isn't known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    /// Of a join of streams, what its left and its right side read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<[String; 2]>,
    /// The topics whose records its task reads; none if that isn't known. If a version of the pipeline read only others, the
    /// group could give tasks of both versions to two processes at the same time, and both would write the store's changelog.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inputs: BTreeSet<String>,
}

/// What the entries of a store are: all that decides what one means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Entries {
    /// Rows of a table.
    Table,
    /// Rows of a table that every instance has whole.
    GlobalTable,
    /// Records of a join. Any window finds its own among them.
    Join,
    /// What a deduplicating step has seen.
    Seen {
        /// By what records are known.
        by: Vec<String>,
    },
    /// States of an aggregate.
    Aggregate {
        /// The function whose states they are.
        function: String,
        /// Which windows they are of.
        windows: Option<WindowShape>,
        /// Whether results come out once, when a window closes.
        #[serde(default, rename = "final")]
        is_final: bool,
    },
    /// Windows of an aggregate that have not closed.
    OpenWindows {
        /// Which windows.
        windows: Option<WindowShape>,
    },
    /// What a processor keeps.
    Process {
        /// The function that keeps it.
        function: String,
    },
    /// Timers of a processor.
    Timers,
}

/// Into which windows a record falls; times in milliseconds. Grace and retention are none of it: they decide how long a
/// window lives, and not what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowShape {
    /// Of this length, one after the other.
    Tumbling(i64),
    /// Of the first length, one after each second one.
    Hopping(i64, i64),
    /// Of this length, one for each set of records.
    Sliding(i64),
    /// With this gap.
    Session(i64),
}

/// A store was filled by another kind of step than the one that is about to use it: go back to what it was, give the
/// step another name, or start with empty state.
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
    /// What filled it.
    pub before: String,
    /// What would.
    pub now: String,
    /// What would come of it, and the way to keep the state.
    pub danger: &'static str,
}

const OTHER_ENTRIES: &str = "entries of the one would be taken for entries of the other. Make the step what it was";
const OTHER_INPUTS: &str = "processes with the old files and with the new ones could write its changelog at the same time. \
                            Merge the old and the new topics first, in a version of its own, and leave the old ones out in the \
                            next";

impl Contents {
    /// What the `store` is filled with once the step that is described so has gone on with what this one has left there.
    ///
    /// # Errors
    /// It would take its entries for something else.
    pub fn goes_on_as(&self, now: &Self, store: &str) -> Result<Self, Changed> {
        // Bytes are read as whatever they are, and don't make anything else of what is there.
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

    /// Whether a side of a join reads what the other one has read. A step on one side may have got another name.
    fn crosses(&self, now: &Self) -> bool {
        let both = self.sides.as_ref().zip(now.sides.as_ref());
        both.is_some_and(|(before, now)| before != now && (before[0] == now[1] || before[1] == now[0]))
    }
}

impl Topology {
    /// What each store is filled with, by its name. The meta store isn't among them: its keys say what they are.
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

    /// A store's name, and what it is filled with by a step of which no more is known.
    fn kept(&self, store: StoreId, step: &str, entries: Entries) -> Option<(String, Contents)> {
        let spec = self.stores.get(store.0)?;
        let (step, plugin, sides, inputs) = (step.to_owned(), String::new(), None, BTreeSet::new());
        Some((spec.name.clone(), Contents { step, entries, key: spec.key, plugin, sides, inputs }))
    }
}

/// The stores that a node fills, and with what.
fn entries(node: &Node) -> Vec<(StoreId, Entries)> {
    let function = |call: &Call| call.manifest.name.clone();
    match &node.operator {
        Operator::Table { store } => vec![(*store, Entries::Table)],
        Operator::StreamJoin { store, .. } => vec![(*store, Entries::Join)],
        Operator::Dedup { store, by, .. } => vec![(*store, Entries::Seen { by: by.iter().map(identity).collect() })],
        Operator::Aggregate { store, windows, emit, open, call } => {
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

/// The plugin whose states a node keeps, and the sides whose records it does.
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

/// A length of time as pipeline files have it, from milliseconds.
struct DurationText(i64);

impl fmt::Display for DurationText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let unit = units.into_iter().find(|(_, ms)| self.0 != 0 && self.0 % ms == 0);
        let (unit, ms) = unit.unwrap_or(("ms", 1));
        write!(out, "{}{unit}", self.0 / ms)
    }
}

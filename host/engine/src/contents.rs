//! What stores are filled with: what their entries mean follows from the step that writes them. A step that would read
//! the entries of another kind of step, or of other windows, as its own is refused before it runs.
//!
//! Where the notes are kept is the driver's business; what they say, and what may follow what, is the same on all.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::KeyCodec;
use crate::ports::StoreId;
use crate::topology::{Call, Emit, Identity, Node, Operator, Topology, WindowKind, Windows};

/// What a store is filled with. Members of its serialised form are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Name of the step that fills it.
    pub step: String,
    /// What the entries are.
    pub entries: Entries,
    /// How their keys are read.
    #[serde(default)]
    pub key: KeyCodec,
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
    "step `{step}`: there is state in its store `{store}` of {before}, and now it is {now}: entries of the one would be \
     taken for entries of the other. Make the step what it was, or give it another name, under which it begins with empty \
     state"
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
}

impl Contents {
    /// Whether the step that is described so can go on with what this one has left in the `store`.
    ///
    /// # Errors
    /// It would take its entries for something else.
    pub fn goes_on_as(&self, now: &Self, store: &str) -> Result<(), Changed> {
        // Bytes are read as whatever they are.
        let keys = self.key == now.key || [self.key, now.key].contains(&KeyCodec::Bytes);
        if keys && self.entries == now.entries {
            return Ok(());
        }
        let describe = |contents: &Self| match keys {
            true => contents.entries.to_string(),
            false => format!("{} with keys of the type `{}`", contents.entries, contents.key.name()),
        };
        let (step, store) = (now.step.clone(), store.to_owned());
        Err(Changed { step, store, before: describe(self), now: describe(now) })
    }
}

impl Topology {
    /// What each store is filled with, by its name. The meta store isn't among them: its keys say what they are.
    pub fn contents(&self) -> BTreeMap<String, Contents> {
        let nodes = self.subtopologies.iter().flat_map(|part| &part.nodes);
        let kept =
            nodes.flat_map(|node| entries(node).into_iter().map(|(store, entries)| (&node.name, store, entries)));
        let globals = self.globals.iter().map(|table| (&table.name, table.store, Entries::GlobalTable));
        let contents = kept.chain(globals).filter_map(|(step, store, entries)| {
            let spec = self.stores.get(store.0)?;
            Some((spec.name.clone(), Contents { step: step.clone(), entries, key: spec.key }))
        });
        contents.collect()
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
            Self::Tumbling(size) => write!(out, "tumbling windows of {}", Length(size)),
            Self::Hopping(size, every) => write!(out, "hopping windows of {} every {}", Length(size), Length(every)),
            Self::Sliding(size) => write!(out, "sliding windows of {}", Length(size)),
            Self::Session(gap) => write!(out, "session windows with a gap of {}", Length(gap)),
        }
    }
}

/// A length of time as pipeline files have it, from milliseconds.
struct Length(i64);

impl fmt::Display for Length {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let unit = units.into_iter().find(|(_, ms)| self.0 != 0 && self.0 % ms == 0);
        let (unit, ms) = unit.unwrap_or(("ms", 1));
        write!(out, "{}{unit}", self.0 / ms)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::pipeline::{self, SourceFile};
    use crate::testing::manifest;

    const SOURCE: &str =
        "app = 'a'\n[plugins.p]\ncomponent = 'p.wasm'\n[[source]]\nname = 'in'\ntopic = 'in'\nkey = 'i64'\n";

    fn contents(step: &str) -> BTreeMap<String, Contents> {
        let file = SourceFile { path: "a.toml".into(), text: format!("{SOURCE}{step}") };
        let rules = manifest("p: aggregate sum merges; aggregate total merges; process steps stores=one,two timers");
        let manifests = BTreeMap::from([("p".to_owned(), rules)]);
        pipeline::build(&pipeline::parse(&[file], &[]).unwrap(), &manifests).unwrap().contents()
    }

    fn aggregate(rest: &str) -> Contents {
        let step =
            format!("[[aggregate]]\nname = 'sums'\nfrom = 'in'\n{rest}\n[[sink]]\nfrom = 'sums'\ntopic = 'out'\n");
        contents(&step).remove("sums").unwrap()
    }

    /// Whether state of the one is refused to the other, and with which words.
    fn refused(before: &Contents, now: &Contents) -> Option<String> {
        before.goes_on_as(now, "sums").err().map(|changed| format!("{} | {}", changed.before, changed.now))
    }

    #[test]
    fn another_size_or_kind_of_window_is_refused_and_another_grace_is_not() {
        let minute = aggregate("call = 'p.sum'\nwindow = { tumbling = '1m' }");
        let same = ["window = { tumbling = '60s' }\ngrace = '10m'", "window = { hopping = '1m', every = '1m' }"];
        for window in same {
            assert_eq!(refused(&minute, &aggregate(&format!("call = 'p.sum'\n{window}"))), None, "{window}");
        }
        let others = [
            ("window = { tumbling = '5m' }", "an aggregate by `sum` with tumbling windows of 5m"),
            (
                "window = { hopping = '1m', every = '10s' }",
                "an aggregate by `sum` with hopping windows of 1m every 10s",
            ),
            ("window = { session = '1500ms' }", "an aggregate by `sum` with session windows with a gap of 1500ms"),
            ("window = { sliding = '1d' }", "an aggregate by `sum` with sliding windows of 1d"),
            ("", "an aggregate by `sum` without windows"),
            (
                "window = { tumbling = '1m' }\nemit = 'final'",
                "an aggregate by `sum` with tumbling windows of 1m and final results",
            ),
        ];
        for (window, now) in others {
            let said = refused(&minute, &aggregate(&format!("call = 'p.sum'\n{window}")));
            assert_eq!(said, Some(format!("an aggregate by `sum` with tumbling windows of 1m | {now}")));
        }
    }

    #[test]
    fn another_function_another_kind_of_step_and_other_keys_are_refused() {
        let sums = aggregate("call = 'p.sum'");
        let total = aggregate("call = 'p.total'");
        let said = "an aggregate by `sum` without windows | an aggregate by `total` without windows";
        assert_eq!(refused(&sums, &total).as_deref(), Some(said));
        let called =
            "[[aggregate]]\nname = 'other'\nfrom = 'in'\ncall = 'p.sum'\n[[sink]]\nfrom = 'other'\ntopic = 'out'\n";
        let table = format!("[[table]]\nname = 'sums'\nfrom = 'in'\n{called}");
        let table = contents(&table).remove("sums").unwrap();
        assert_eq!(refused(&sums, &table).as_deref(), Some("an aggregate by `sum` without windows | a table"));
        let text = Contents { key: KeyCodec::String, ..sums.clone() };
        let said = "an aggregate by `sum` without windows with keys of the type `i64` | an aggregate by `sum` without \
                    windows with keys of the type `string`";
        assert_eq!(refused(&sums, &text).as_deref(), Some(said));
        let bytes = Contents { key: KeyCodec::Bytes, ..sums.clone() };
        assert_eq!((refused(&sums, &bytes), refused(&bytes, &text)), (None, None));
    }

    #[test]
    fn all_stores_of_a_step_are_described_and_read_as_they_were_written() {
        let steps = contents(
            "[[process]]\nname = 'steps'\nfrom = 'in'\ncall = 'p.steps'\n[[sink]]\nfrom = 'steps'\ntopic = 'out'\n\
             [[dedup]]\nname = 'once'\nfrom = 'in'\nwithin = '1m'\nby = ['field:id', 'header:id']\n[[sink]]\nfrom = 'once'\ntopic = 'out'\n\
             [[aggregate]]\nname = 'sums'\nfrom = 'in'\ncall = 'p.sum'\nwindow = { tumbling = '1m' }\nemit = 'final'\n[[sink]]\nfrom = 'sums'\ntopic = 'out'\n",
        );
        let said: Vec<_> = steps.iter().map(|(store, contents)| format!("{store}: {}", contents.entries)).collect();
        assert_eq!(
            said,
            [
                "once: a deduplicating step by field:id, header:id",
                "steps-one: a processor by `steps`",
                "steps-timers: the timers of a processor",
                "steps-two: a processor by `steps`",
                "sums: an aggregate by `sum` with tumbling windows of 1m and final results",
                "sums-open: the open windows of an aggregate with tumbling windows of 1m",
            ]
        );
        let text = serde_json::to_string(steps.get("sums").unwrap()).unwrap();
        let expected = r#"{"step":"sums","entries":{"aggregate":{"function":"sum","windows":{"tumbling":60000},"final":true}},"key":"i64"}"#;
        assert_eq!(text, expected);
        assert_eq!(&serde_json::from_str::<Contents>(&text).unwrap(), steps.get("sums").unwrap());
    }
}

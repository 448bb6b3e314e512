//! The operators of cases, and the pipeline that each one stands for.

use serde::{Deserialize, Serialize};

/// An operator with its settings. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Op {
    /// Stream with stream.
    StreamJoin {
        /// `inner`, `left` or `outer`.
        kind: String,
        /// How long before the left record the right one may lie.
        before: u64,
        /// How long after it.
        after: u64,
        /// How long records may be late.
        grace: u64,
    },
    /// Stream with table.
    Lookup {
        /// `inner` or `left`.
        kind: String,
    },
    /// Table with table.
    TableJoin {
        /// `inner`, `left` or `outer`.
        kind: String,
    },
    /// A table of a topic.
    Table,
    /// Records of a key become one.
    Aggregate {
        /// Its windows.
        #[serde(flatten)]
        windows: Windows,
        /// How long records may be late.
        #[serde(default)]
        grace: u64,
        /// When results come out.
        emit: Emit,
    },
}

/// Windows of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "window", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are those of Kafka Streams")]
pub enum Windows {
    None,
    Tumbling { size: u64 },
    Hopping { size: u64, advance: u64 },
    Sliding { difference: u64 },
    Session { gap: u64 },
}

/// When results come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emit {
    /// After each record.
    Update,
    /// When the window is closed.
    Final,
}

impl Op {
    /// The pipeline file: from `left`, and `right` where there are two, to `out`, with so many partitions.
    pub fn pipeline(&self, partitions: usize) -> String {
        // A plugin that nothing calls would be a mistake.
        let plugins = if *self == Self::Table { "" } else { "[plugins.golden]\ncomponent = \"golden.wasm\"\n\n" };
        let step = self.step(partitions);
        format!("app = \"golden\"\n\n{plugins}{step}\n[[sink]]\nfrom = \"op\"\ntopic = \"out\"\n")
    }

    fn step(&self, partitions: usize) -> String {
        let read = |table: &str, name: &str, topic: &str| {
            format!(
                "[[{table}]]\nname = \"{name}\"\ntopic = \"{topic}\"\nkey = \"string\"\nvalue = \"bytes\"\n\
                 partitions = {partitions}\n\n"
            )
        };
        match self {
            Self::StreamJoin { kind, before, after, grace } => format!(
                "{}{}[[join]]\nname = \"op\"\nleft = \"left\"\nright = \"right\"\nkind = \"{kind}\"\n\
                 before = \"{before}ms\"\nafter = \"{after}ms\"\ngrace = \"{grace}ms\"\ncall = \"golden.join\"\n",
                read("source", "left", "left"),
                read("source", "right", "right"),
            ),
            Self::Lookup { kind } => format!(
                "{}{}[[lookup]]\nname = \"op\"\nstream = \"left\"\ntable = \"right\"\nkind = \"{kind}\"\n\
                 call = \"golden.join\"\n",
                read("source", "left", "left"),
                read("table", "right", "right"),
            ),
            Self::TableJoin { kind } => format!(
                "{}{}[[table-join]]\nname = \"op\"\nleft = \"left\"\nright = \"right\"\nkind = \"{kind}\"\n\
                 call = \"golden.join\"\n",
                read("table", "left", "left"),
                read("table", "right", "right"),
            ),
            Self::Table => read("table", "op", "left"),
            Self::Aggregate { windows, grace, emit } => format!(
                "{}[[aggregate]]\nname = \"op\"\nfrom = \"left\"\ncall = \"golden.append\"\n{}",
                read("source", "left", "left"),
                windows.settings(*grace, *emit),
            ),
        }
    }
}

impl Windows {
    fn settings(&self, grace: u64, emit: Emit) -> String {
        let window = match self {
            // Without windows there is neither grace nor an end.
            Self::None => return String::new(),
            Self::Tumbling { size } => format!("tumbling = \"{size}ms\""),
            Self::Hopping { size, advance } => format!("hopping = \"{size}ms\", every = \"{advance}ms\""),
            Self::Sliding { difference } => format!("sliding = \"{difference}ms\""),
            Self::Session { gap } => format!("session = \"{gap}ms\""),
        };
        let emit = match emit {
            Emit::Update => "each",
            Emit::Final => "final",
        };
        // Kafka Streams' own, where nothing else is said: what falls out of it is lost there.
        let retention = match (self, emit) {
            (Self::Tumbling { size } | Self::Hopping { size, .. }, "final") => *size + grace,
            (Self::Sliding { difference }, "final") => 2 * difference + grace,
            _ => return format!("window = {{ {window} }}\ngrace = \"{grace}ms\"\nemit = \"{emit}\"\n"),
        };
        format!("window = {{ {window} }}\ngrace = \"{grace}ms\"\nretention = \"{retention}ms\"\nemit = \"{emit}\"\n")
    }
}

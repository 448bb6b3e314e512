//! A step as the file says it.

use std::fmt;
use std::time::Duration;

use millrace_engine::manifest::KeyCodec;
use millrace_engine::topology::{Ahead, Emit, Identity, JoinKind, OnDrop, OnError, SinkKey, ValueCodec, Windows};

use super::super::diagnostic::{Place, Placed};

/// A source, step or sink.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its header.
    pub at: Place,
    /// The place of its name; of its header, if it has none.
    pub name_at: Place,
    /// Name; empty if the file has none, which is reported.
    pub name: String,
    pub kind: StepKind,
    pub common: CommonFields,
}

/// The fields of every step.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommonFields {
    pub on_error: OnError,
    pub on_late: Option<Placed<OnDrop>>,
    pub on_null_key: OnDrop,
    pub dlq: Option<Placed<String>>,
    pub retry: Option<Place>,
}

/// `from`, `left`, `stream` and the like: where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub step: String,
    pub port: Option<String>,
}

impl fmt::Display for Input {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            Some(port) => write!(out, "{}.{port}", self.step),
            None => out.write_str(&self.step),
        }
    }
}

/// `plugin.function`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallName {
    pub plugin: String,
    pub function: String,
}

/// Time bounds of a stream-stream join.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinBounds {
    pub before: Duration,
    pub after: Duration,
    pub grace: Duration,
}

/// A topic that is read.
#[derive(Clone, Debug)]
pub(crate) struct ReadTopic {
    pub topic: Placed<String>,
    pub key: KeyCodec,
    pub value: ValueCodec,
    pub partitions: Option<u32>,
}

/// The origin of a table's rows.
#[derive(Clone, Debug)]
pub(crate) enum TableOf {
    Topic(ReadTopic),
    Step(Placed<Input>),
}

/// The kind of a step. A required field that is `None` was missing or wrong, and is reported.
#[derive(Clone, Debug)]
pub(crate) enum StepKind {
    Source {
        read: Option<ReadTopic>,
        /// The field that event time is in.
        timestamp: Option<String>,
        on_bad_time: OnDrop,
        ahead: Option<Ahead>,
        validate: Option<Placed<CallName>>,
    },
    Table {
        of: Option<TableOf>,
    },
    GlobalTable {
        of: Option<TableOf>,
    },
    Transform {
        from: Vec<Placed<Input>>,
        call: Option<Placed<CallName>>,
    },
    Merge {
        from: Vec<Placed<Input>>,
    },
    Join {
        sides: JoinSides,
        kind: Placed<JoinKind>,
        bounds: Option<JoinBounds>,
        call: Option<Placed<CallName>>,
    },
    Lookup {
        stream: Option<Placed<Input>>,
        table: Option<Placed<Input>>,
        kind: Placed<JoinKind>,
        call: Option<Placed<CallName>>,
    },
    TableJoin {
        sides: JoinSides,
        kind: Placed<JoinKind>,
        call: Option<Placed<CallName>>,
    },
    Aggregate {
        from: Option<Placed<Input>>,
        call: Option<Placed<CallName>>,
        windows: Option<Windows>,
        emit: Emit,
        /// Null results aren't put out.
        drops_nulls: bool,
    },
    Process {
        from: Vec<Placed<Input>>,
        call: Option<Placed<CallName>>,
    },
    Dedup {
        from: Option<Placed<Input>>,
        by: Vec<Identity>,
        within: Option<Duration>,
    },
    Sink {
        from: Option<Placed<Input>>,
        topic: Option<Placed<String>>,
        key: Placed<SinkKey>,
    },
}

/// Both inputs of a join.
#[derive(Clone, Debug)]
pub(crate) struct JoinSides {
    pub left: Option<Placed<Input>>,
    pub right: Option<Placed<Input>>,
}

impl StepKind {
    /// Whether records can be late for it: then it has the port `late`.
    pub fn can_be_late(&self) -> bool {
        match self {
            Self::Join { .. } | Self::Dedup { .. } => true,
            Self::Aggregate { windows, .. } => windows.is_some(),
            _ => false,
        }
    }
}

impl Step {
    /// Its table in the file.
    pub fn table_name(&self) -> &'static str {
        match self.kind {
            StepKind::Source { .. } => "source",
            StepKind::Table { .. } => "table",
            StepKind::GlobalTable { .. } => "global-table",
            StepKind::Transform { .. } => "transform",
            StepKind::Merge { .. } => "merge",
            StepKind::Join { .. } => "join",
            StepKind::Lookup { .. } => "lookup",
            StepKind::TableJoin { .. } => "table-join",
            StepKind::Aggregate { .. } => "aggregate",
            StepKind::Process { .. } => "process",
            StepKind::Dedup { .. } => "dedup",
            StepKind::Sink { .. } => "sink",
        }
    }

    /// The step in messages: ``[[join]] `resolve` ``.
    pub fn title(&self) -> String {
        title(self.table_name(), &self.name, self.writes().unwrap_or_default())
    }

    /// The steps whose records it reads, in the order of its inputs, without the table of a lookup.
    pub fn inputs(&self) -> Vec<&Placed<Input>> {
        match &self.kind {
            StepKind::Source { .. } => Vec::new(),
            StepKind::Table { of } | StepKind::GlobalTable { of } => match of {
                Some(TableOf::Step(from)) => vec![from],
                _ => Vec::new(),
            },
            StepKind::Transform { from, .. } | StepKind::Merge { from } | StepKind::Process { from, .. } => {
                from.iter().collect()
            }
            StepKind::Join { sides, .. } | StepKind::TableJoin { sides, .. } => {
                sides.left.iter().chain(&sides.right).collect()
            }
            StepKind::Lookup { stream, .. } => stream.iter().collect(),
            StepKind::Aggregate { from, .. } | StepKind::Dedup { from, .. } | StepKind::Sink { from, .. } => {
                from.iter().collect()
            }
        }
    }

    /// The function it calls.
    pub fn call(&self) -> Option<&Placed<CallName>> {
        match &self.kind {
            StepKind::Source { validate: call, .. }
            | StepKind::Transform { call, .. }
            | StepKind::Join { call, .. }
            | StepKind::Lookup { call, .. }
            | StepKind::TableJoin { call, .. }
            | StepKind::Aggregate { call, .. }
            | StepKind::Process { call, .. } => call.as_ref(),
            _ => None,
        }
    }

    /// The topic it reads.
    pub fn read(&self) -> Option<&ReadTopic> {
        match &self.kind {
            StepKind::Source { read, .. } => read.as_ref(),
            StepKind::Table { of: Some(TableOf::Topic(read)) }
            | StepKind::GlobalTable { of: Some(TableOf::Topic(read)) } => Some(read),
            _ => None,
        }
    }

    /// The topic that a sink writes.
    pub fn writes(&self) -> Option<&str> {
        match &self.kind {
            StepKind::Sink { topic, .. } => topic.as_ref().map(|topic| topic.value.as_str()),
            _ => None,
        }
    }
}

/// The name of a step in messages. A sink has no name in the file, and is named by its topic.
pub(crate) fn title(table: &str, name: &str, topic: &str) -> String {
    match (table, name) {
        ("sink", _) if topic.is_empty() => "[[sink]]".to_owned(),
        ("sink", _) => format!("[[sink]] to `{topic}`"),
        (_, "") => format!("[[{table}]]"),
        (_, name) => format!("[[{table}]] `{name}`"),
    }
}

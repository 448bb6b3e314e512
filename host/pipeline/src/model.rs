//! A pipeline as its files say it, before names are resolved.

use std::fmt;
use std::time::Duration;

use super::config_keys::ConfigKey;
use super::diagnostic::{Place, Placed, Problems, Sources};
use super::kafka::KafkaSetting;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::secret::Secret;
use millrace_engine::topology::{
    Ahead, Emit, Identity, JoinKind, OnDrop, OnError, PluginUse, Settings, SinkKey, ValueCodec, Windows,
};

/// The pipeline of an app: its files, read and checked for all that needs no plugin.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub(super) app: String,
    pub(super) settings: Settings,
    /// App-wide topic of dead letters.
    pub(super) dlq: Option<Placed<String>>,
    pub(super) breaker: Option<Place>,
    pub(super) plugins: Vec<Plugin>,
    pub(super) steps: Vec<Step>,
    pub(super) kafka: Vec<KafkaSetting>,
    pub(super) sources: Sources,
    /// What is wrong with the files.
    pub(super) problems: Problems,
    /// Whether a file is missing in it, because it isn't TOML.
    pub(super) partial: bool,
}

impl Pipeline {
    /// Name of the app.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The plugins to load, in the order of the files.
    pub fn plugins(&self) -> impl Iterator<Item = &PluginUse> {
        self.plugins.iter().map(|plugin| &plugin.plugin)
    }

    /// The settings of `[kafka]` that are readable so far. What they mean only the client knows: see
    /// [`refuse_kafka`](Self::refuse_kafka).
    pub fn kafka(&self) -> Vec<(String, Secret)> {
        self.kafka.iter().map(|setting| (setting.name.clone(), setting.value.clone())).collect()
    }

    /// Adds a mistake that the client has found in a setting, or in all of them together where it names none.
    pub fn refuse_kafka(&mut self, name: Option<&str>, message: String, help: String) {
        let named = self.kafka.iter().find(|setting| name == Some(&setting.name));
        let at = named.or(self.kafka.first()).map(|setting| setting.at).unwrap_or_default();
        self.problems.add(at, message, help);
    }
}

/// A plugin with the places of what can be wrong about it.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    pub at: Place,
    pub component_at: Place,
    pub config_at: Option<Place>,
    pub config_keys: Vec<ConfigKey>,
    pub plugin: PluginUse,
}

/// A source, step or sink.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its header.
    pub at: Place,
    /// Where its name stands; its header, if it has none.
    pub name_at: Place,
    /// Its name; empty where the file has none, and then a problem is reported.
    pub name: String,
    pub kind: StepKind,
    pub common: Common,
}

/// What every step takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    pub on_error: OnError,
    pub on_late: Option<Placed<OnDrop>>,
    pub on_null_key: OnDrop,
    pub dlq: Option<Placed<String>>,
    pub retry: Option<Place>,
}

/// `from`, `left`, `stream` and the like: where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
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
pub(super) struct CallName {
    pub plugin: String,
    pub function: String,
}

/// Time bounds of a stream-stream join.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub before: Duration,
    pub after: Duration,
    pub grace: Duration,
}

/// A topic that is read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub topic: Placed<String>,
    pub key: KeyCodec,
    pub value: ValueCodec,
    pub partitions: Option<u32>,
}

/// What a table is made of.
#[derive(Clone, Debug)]
pub(super) enum TableOf {
    Topic(Read),
    Step(Placed<Input>),
}

/// The kinds of steps. What is `None` was missing or wrong, and is reported.
#[derive(Clone, Debug)]
pub(super) enum StepKind {
    Source {
        read: Option<Read>,
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
        sides: Sides,
        kind: Placed<JoinKind>,
        bounds: Option<Bounds>,
        call: Option<Placed<CallName>>,
    },
    Lookup {
        stream: Option<Placed<Input>>,
        table: Option<Placed<Input>>,
        kind: Placed<JoinKind>,
        call: Option<Placed<CallName>>,
    },
    TableJoin {
        sides: Sides,
        kind: Placed<JoinKind>,
        call: Option<Placed<CallName>>,
    },
    Aggregate {
        from: Option<Placed<Input>>,
        call: Option<Placed<CallName>>,
        windows: Option<Windows>,
        emit: Emit,
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
pub(super) struct Sides {
    pub left: Option<Placed<Input>>,
    pub right: Option<Placed<Input>>,
}

impl StepKind {
    /// Whether records can come too late for it: then it has the port `late`.
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

    /// For messages: ``[[join]] `resolve` ``.
    pub fn title(&self) -> String {
        title(self.table_name(), &self.name, self.writes().unwrap_or_default())
    }

    /// Where its records come from, in the order of its inputs; a lookup's table is not among them.
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
    pub fn read(&self) -> Option<&Read> {
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

/// How messages call a step; a sink by its topic, since the file gives it no name.
pub(super) fn title(table: &str, name: &str, topic: &str) -> String {
    match (table, name) {
        ("sink", _) if topic.is_empty() => "[[sink]]".to_owned(),
        ("sink", _) => format!("[[sink]] to `{topic}`"),
        (_, "") => format!("[[{table}]]"),
        (_, name) => format!("[[{table}]] `{name}`"),
    }
}

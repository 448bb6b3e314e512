//! A step: one node at work in a run, with access to the run, the state and the ledger.

mod error;
mod failures;
mod item;
mod limits;
mod options;
mod pass;
mod produced;
mod progress;
mod unusable;
mod wake_reason;

use bytes::Bytes;

use crate::ledger::{CounterKind, Ledger, LogLine};
use crate::partitioner::partition_of;
use crate::path::Path;
use crate::ports::{CallError, Effect, Field, FunctionId, Outcome, Output};
use crate::provenance::Origin;
use crate::record::{InputRecord, Record, Timestamp};
use crate::row::Row;
use crate::state::TaskState;
use crate::state::budget::Budget;
use crate::topology::{Call, Edge, Node, NodeId, SubTopology, TopicId, Topology};
pub use error::TaskError;
pub(crate) use item::Item;
pub(crate) use limits::RecordOutputs;
pub use options::{Deployed, Flood, PASS_BYTES, Rewrites, TaskOptions};
pub use produced::Produced;
pub(crate) use progress::{Progress, Remainder};
pub(crate) use unusable::{UnusableAction, UnusableRecord};
pub(crate) use wake_reason::WakeReason;

/// A node at work in a run.
pub(crate) struct Step<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) shape: &'a SubTopology,
    pub(crate) node: &'a Node,
    pub(crate) id: NodeId,
    pub(crate) options: &'a TaskOptions,
    pub(crate) state: &'a mut TaskState,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) progress: &'a mut Progress,
    /// Number of records for which a rule returned nothing; [`finish`](Self::finish) adds it to the ledger.
    filtered: u64,
    /// Number of outputs at ports without edges; [`finish`](Self::finish) adds it to the ledger.
    unread: u64,
    /// What is left of the node's budget for this pass.
    pub(crate) budget: Budget,
    /// Number of items in its next guest call.
    pub(crate) call_size: &'a mut usize,
}

/// The record that outputs inherit from. If it has no value, an inherited value is null.
pub(crate) struct Parent<'a> {
    pub(crate) path: &'a Path,
    pub(crate) record: &'a Record,
}

impl<'a> Step<'a> {
    /// Starts the work of a node.
    pub(crate) fn new(
        (topology, shape, id, node): (&'a Topology, &'a SubTopology, NodeId, &'a Node),
        options: &'a TaskOptions,
        state: &'a mut TaskState,
        ledger: &'a mut Ledger,
        progress: &'a mut Progress,
        call_size: &'a mut usize,
    ) -> Self {
        let budget = Budget::new(options.pass_bytes);
        Self { topology, shape, node, id, options, state, ledger, progress, filtered: 0, unread: 0, budget, call_size }
    }

    /// Ends the work of a node.
    pub(crate) fn finish(self) {
        for (code, n) in [("filtered", self.filtered), ("unread-port", self.unread)] {
            if n > 0 {
                self.ledger.count(&self.node.name, CounterKind::Skipped, code, n);
            }
        }
    }

    /// Name of a node, for a guest.
    pub(crate) fn name_of(&self, node: NodeId) -> &'a str {
        self.shape.nodes.get(node.0).map_or("", |node| node.name.as_str())
    }

    /// Name of the node that feeds an input of this node, for a guest.
    pub(crate) fn input_name(&self, input: usize) -> &'a str {
        let feeds = |node: &&Node| node.edges.iter().any(|edge| edge.to == self.id && edge.input == input);
        self.shape.nodes.iter().find(feeds).map_or("", |node| node.name.as_str())
    }

    /// The function of a call, in its active deployment.
    pub(crate) fn function(&self, call: &Call) -> Result<FunctionId, TaskError> {
        let deployed = self.deployed(call).ok_or_else(|| TaskError::Host {
            step: self.node.name.clone(),
            reason: "its plugin has no deployment".into(),
        })?;
        Ok(FunctionId { deployment: deployed.id, function: call.function })
    }

    fn deployed(&self, call: &Call) -> Option<&'a Deployed> {
        self.options.deployments.get(call.plugin.0)
    }

    /// Generation and digest of the version that processes records with this key.
    fn version_of(&self, call: &Call, key: Option<&[u8]>) -> Option<(u32, &'a str)> {
        let deployed = self.deployed(call)?;
        match deployed.canary.as_deref().filter(|canary| canary.takes(key)) {
            Some(canary) => Some((canary.generation, &canary.digest)),
            None => Some((deployed.generation, &deployed.digest)),
        }
    }

    /// Counts a result of a rule for the version that has processed the key.
    pub(crate) fn count_result(&mut self, call: &Call, key: Option<&[u8]>) {
        if let Some((generation, _)) = self.version_of(call, key) {
            self.ledger.version((call.plugin.0, generation), &call.manifest.name).records += 1;
        }
    }

    /// The task's error for a host error in a guest call.
    pub(crate) fn host_error(&self, error: CallError) -> TaskError {
        let step = self.node.name.clone();
        match error {
            CallError::Overrun => TaskError::Overrun { step },
            error => TaskError::Host { step, reason: error.to_string() },
        }
    }

    /// Emits a record at a port, to all edges in the order of the files. `child` is the number of the parent's next
    /// child.
    pub(crate) fn emit(&mut self, parent: &Path, child: &mut u32, port: usize, record: Record) {
        self.emit_row(parent, child, port, record, Row::New);
    }

    /// Emits a row of a table. Not every edge carries every row.
    pub(crate) fn emit_row(&mut self, parent: &Path, child: &mut u32, port: usize, record: Record, row: Row) {
        if record.value.is_none() && self.node.operator.drops_nulls(port) {
            return;
        }
        let (topology, shape) = (self.topology, self.shape);
        let carries = |edge: &&Edge| edge.port == port && row.goes_along(edge, topology, shape);
        let mut edges = self.node.edges.iter().filter(carries).peekable();
        let mut record = Some(record);
        while let Some(edge) = edges.next() {
            let copy = if edges.peek().is_some() { record.clone() } else { record.take() };
            let (Some(record), Some(queue)) = (copy, self.progress.queues.get_mut(edge.to.0)) else { continue };
            self.budget.take(record.size());
            queue.push(Item { path: parent.child(*child), from: self.id, input: edge.input, record, row });
            *child += 1;
        }
    }

    /// Applies the outcome of a rule for a record.
    pub(crate) fn apply_outcome(
        &mut self,
        parent: &Parent<'_>,
        outcome: Outcome,
        call: &Call,
    ) -> Result<(), TaskError> {
        self.apply_row_outcome(parent, Row::New, &mut 0, outcome, call)
    }

    /// Applies one of several outcomes of a record. `child` is the number of the record's next child. Outputs are rows
    /// like the record.
    pub(crate) fn apply_row_outcome(
        &mut self,
        parent: &Parent<'_>,
        row: Row,
        child: &mut u32,
        outcome: Outcome,
        call: &Call,
    ) -> Result<(), TaskError> {
        if !matches!(row, Row::Old { .. }) {
            self.count_result(call, parent.record.key.as_deref());
        }
        self.emit_outcome(parent, row, child, outcome, call)
    }

    /// Applies an outcome without counting it as a result.
    pub(crate) fn emit_outcome(
        &mut self,
        parent: &Parent<'_>,
        row: Row,
        child: &mut u32,
        outcome: Outcome,
        call: &Call,
    ) -> Result<(), TaskError> {
        let key = parent.record.key.as_deref();
        // An old row was counted when it was new.
        let counts = u64::from(!matches!(row, Row::Old { .. }) && !call.manifest.role.keeps_state());
        match outcome {
            Outcome::Outputs(outputs) => {
                if let Some(exceeded) = self.count_outputs(parent.path, row, &outputs) {
                    return exceeded.map_or(Ok(()), |failure| self.fail(parent.path, &failure, Some((call, key))));
                }
                self.filtered += u64::from(outputs.is_empty()) * counts;
                for (port, record) in inherited(parent.record, outputs) {
                    let read = self.node.edges.iter().any(|edge| edge.port == port);
                    self.unread += u64::from(!read) * counts;
                    self.emit_row(parent.path, child, port, record, row);
                }
                Ok(())
            }
            Outcome::Skip(code) => {
                self.ledger.count(&self.node.name, CounterKind::Skipped, &code, 1);
                Ok(())
            }
            Outcome::Fail(failure) => self.fail(parent.path, &failure, Some((call, key))),
        }
    }

    /// Applies the side effects of guest calls.
    pub(crate) fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Count { name, n } => self.ledger.count(&self.node.name, CounterKind::Plugin, &name, n),
                Effect::Log { level, text } => {
                    self.ledger.log(LogLine { step: self.node.name.clone(), level, text });
                }
            }
        }
    }

    /// The driver's clock, in a run without records (see [`WakeReason`]).
    pub(crate) fn now(&self) -> Timestamp {
        self.progress.records.first().map_or(0, |moment| moment.arrived)
    }

    /// The path of the next output in a run without records (see [`WakeReason`]).
    pub(crate) fn next_wake_path(&mut self) -> Path {
        let path = Path::root(0).child(self.progress.wake_paths);
        self.progress.wake_paths += 1;
        path
    }

    /// The same path, attributed to a record that isn't the run's input: an unmatched record, or the result of several.
    /// If that record fails, the dead letter shows it. Without an `origin`, it has the origin of the record that caused
    /// it to be emitted.
    pub(crate) fn attribute(&mut self, path: &Path, record: &Record, origin: Option<Origin>) -> Path {
        let number = path.record();
        let trigger = self.progress.records.get(number);
        let origin = origin.or_else(|| Some(self.origin(number, trigger?)));
        let (offset, turn, arrived) = trigger.map_or((0, 0, 0), |input| (input.offset, input.turn, input.arrived));
        let timestamp_type = origin.as_ref().map(|origin| origin.timestamp_type).unwrap_or_default();
        let Record { key, value, timestamp, headers, .. } = record.clone();
        let input = InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived, turn };
        let progress = &mut *self.progress;
        let cause = progress.records.len();
        progress.records.push(input);
        progress.sources.push(progress.sources.get(number).copied().unwrap_or(TopicId(0)));
        progress.origins.push(origin);
        path.with_cause(cause as u32)
    }

    /// Adds a record to the task's outputs, for the partition of `key`, whatever its size.
    pub(crate) fn produce(&mut self, path: Path, topic: TopicId, record: Record, key: Option<&[u8]>) {
        let input = self.progress.records.get(path.record());
        let (sequence, turn, arrived) = input.map_or((0, 0, 0), |input| (input.offset, input.turn, input.arrived));
        let partitions = self.options.partitions.get(topic.0).copied().unwrap_or(1);
        let partition = partition_of(key, sequence, partitions);
        let Record { key, value, timestamp, headers, window } = record;
        let produced = Produced { topic, partition, key, value, timestamp, headers, window, turn, arrived };
        self.progress.produced.push((path, produced));
    }

    /// The origin of the record that a path is attributed to.
    pub(crate) fn origin_of(&self, path: &Path) -> Option<Origin> {
        Some(self.origin(path.record(), self.progress.records.get(path.record())?))
    }

    fn origin(&self, number: usize, record: &InputRecord) -> Origin {
        origin(self.progress, self.options, number, record)
    }
}

/// The origin of a record of the run.
fn origin(progress: &Progress, options: &TaskOptions, number: usize, record: &InputRecord) -> Origin {
    if let Some(Some(origin)) = progress.origins.get(number) {
        return origin.clone();
    }
    let topic = progress.sources.get(number).and_then(|topic| progress.names.get(topic.0));
    Origin {
        topic: topic.cloned().unwrap_or_default(),
        partition: options.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        timestamp_type: record.timestamp_type,
    }
}

/// The records of outputs, with their ports.
pub(crate) fn inherited(parent: &Record, outputs: Vec<Output>) -> impl Iterator<Item = (usize, Record)> {
    outputs.into_iter().map(|output| (output.port as usize, inherit(parent, output)))
}

/// The record of an output, with the fields that it inherits.
fn inherit(parent: &Record, output: Output) -> Record {
    let pick = |field: Field, inherited: &Option<Bytes>| match field {
        Field::Inherit => inherited.clone(),
        Field::Null => None,
        Field::Bytes(bytes) => Some(bytes),
    };
    Record {
        key: pick(output.key, &parent.key),
        value: pick(output.value, &parent.value),
        timestamp: output.timestamp.unwrap_or(parent.timestamp),
        headers: output.headers.unwrap_or_else(|| parent.headers.clone()),
        window: parent.window,
    }
}

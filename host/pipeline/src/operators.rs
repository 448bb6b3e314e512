//! The engine's operator of each step: the second half of [`super::emit`].

use super::cut::{OperatorId, OperatorRole};
use super::emit::{Emitter, repartition_topic};
use super::graph::{ResolvedCall, StepNode};
use super::model::{Input, JoinBounds, StepKind};
use super::windows::milliseconds;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::ports::StoreId;
use millrace_engine::topology::{
    Call, Emit, EventTime, JoinKind, JoinWindow, OnDrop, Operator, PluginId, StoreKind, StoreSpec, TableUse, ValueCodec,
};

impl Emitter<'_, '_> {
    pub(super) fn operator(&mut self, subtopology: usize, part: OperatorId, node: &StepNode<'_>) -> Option<Operator> {
        match part.role {
            OperatorRole::TableSource => self.source(node),
            OperatorRole::Step => self.step(subtopology, part.step, node),
            OperatorRole::Repartition(_) => {
                Some(Operator::Repartition { topic: self.topic(&repartition_topic(self.graph, part)?)? })
            }
            OperatorRole::Repartitioned(_) => Some(Operator::Source {
                topic: self.topic(&repartition_topic(self.graph, part)?)?,
                key: KeyCodec::Bytes,
                value: ValueCodec::Bytes,
                timestamp: EventTime::Record,
                on_bad_time: OnDrop::Drop,
                ahead: None,
                validate: None,
            }),
        }
    }

    fn source(&self, node: &StepNode<'_>) -> Option<Operator> {
        let read = node.step.read()?;
        let (timestamp, on_bad_time, ahead) = match &node.step.kind {
            StepKind::Source { timestamp, on_bad_time, ahead, .. } => {
                let field = timestamp.clone().map(EventTime::Field);
                (field.unwrap_or_default(), *on_bad_time, *ahead)
            }
            _ => Default::default(),
        };
        Some(Operator::Source {
            topic: self.topic(&read.topic)?,
            key: read.key,
            value: read.value,
            timestamp,
            on_bad_time,
            ahead,
            validate: node.call.map(call),
        })
    }

    fn step(&mut self, subtopology: usize, index: usize, node: &StepNode<'_>) -> Option<Operator> {
        let name = node.step.name.as_str();
        let key = self.keys.read(index).unwrap_or_default();
        let spec = |suffix: &str, kind, queryable| StoreSpec {
            name: format!("{name}{suffix}"),
            kind,
            key,
            queryable,
            subtopology,
        };
        match &node.step.kind {
            StepKind::Source { .. } => self.source(node),
            StepKind::Table { .. } => {
                let store = self.add_store(spec("", StoreKind::Table, true));
                self.tables.insert(index, store);
                Some(Operator::Table { store })
            }
            StepKind::Transform { .. } => Some(Operator::Transform { call: call(node.call?) }),
            StepKind::Merge { .. } => Some(Operator::Merge),
            StepKind::Join { kind, bounds, sides, .. } => {
                let sides = [sides.left.as_ref()?.to_string(), sides.right.as_ref()?.to_string()];
                let window = window((*bounds)?);
                let layout = StoreKind::WindowRecords { retention: window.retention() };
                let store = self.add_store(spec("-window", layout, false));
                Some(Operator::StreamJoin { kind: kind.value, sides, window, store, call: call(node.call?) })
            }
            StepKind::Lookup { kind, .. } => self.lookup(kind.value, node),
            StepKind::TableJoin { kind, sides, .. } => {
                let (left, right) = (self.table_of(sides.left.as_ref()?)?, self.table_of(sides.right.as_ref()?)?);
                Some(Operator::TableJoin { kind: kind.value, left, right, call: call(node.call?) })
            }
            StepKind::Aggregate { windows, emit, drops_nulls, .. } => {
                let queryable = node.call?.manifest.stores.first().is_some_and(|store| store.queryable);
                let layout = match windows {
                    None => StoreKind::KeyValue,
                    Some(windows) => StoreKind::AggregateWindows { retention: windows.kept() },
                };
                let store = self.add_store(spec("", layout, queryable && windows.is_none()));
                let last = *emit == Emit::Final;
                let open = last.then(|| self.add_store(spec("-open", StoreKind::KeyValue, false)));
                let (windows, emit, drops_nulls) = (*windows, *emit, *drops_nulls);
                Some(Operator::Aggregate { store, windows, emit, drops_nulls, open, call: call(node.call?) })
            }
            StepKind::Process { .. } => {
                let own = node.call?.manifest.stores.iter();
                let specs = own.map(|own| spec(&format!("-{}", own.name), StoreKind::KeyValue, own.queryable));
                let stores = specs.map(|spec| self.add_store(spec)).collect();
                let timed = node.call?.manifest.timers;
                let timers = timed.then(|| self.add_store(spec("-timers", StoreKind::KeyValue, false)));
                Some(Operator::Process { stores, timers, call: call(node.call?) })
            }
            StepKind::Dedup { by, within, .. } => {
                let within = milliseconds((*within)?);
                let store = self.add_store(spec("", StoreKind::of_dedup(within), false));
                Some(Operator::Dedup { store, by: by.clone(), within })
            }
            StepKind::Sink { key, .. } => {
                Some(Operator::Sink { topic: self.topic(node.step.writes()?)?, key: key.value })
            }
            // No part of a sub-topology.
            StepKind::GlobalTable { .. } => None,
        }
    }

    fn lookup(&self, kind: JoinKind, node: &StepNode<'_>) -> Option<Operator> {
        let table = node.table?;
        let name = self.graph.nodes.get(table)?.step.name.clone();
        let table = TableUse { store: *self.tables.get(&table)?, name };
        Some(Operator::Lookup { kind, table, call: call(node.call?) })
    }

    fn table_of(&self, name: &Input) -> Option<TableUse> {
        let table = self.graph.nodes.iter().position(|node| node.step.name == name.step)?;
        Some(TableUse { store: *self.tables.get(&table)?, name: name.step.clone() })
    }

    pub(super) fn add_store(&mut self, store: StoreSpec) -> StoreId {
        self.stores.push(store);
        StoreId(self.stores.len() - 1)
    }
}

fn call(call: ResolvedCall<'_>) -> Call {
    let (plugin_name, manifest) = (call.plugin_name.to_owned(), call.manifest.clone());
    Call { plugin: PluginId(call.plugin), plugin_name, function: call.function, manifest }
}

fn window(bounds: JoinBounds) -> JoinWindow {
    let (before, after, grace) = (milliseconds(bounds.before), milliseconds(bounds.after), milliseconds(bounds.grace));
    JoinWindow { before, after, grace }
}

//! Records between the tasks that write a topic and those that read it, for a driver that runs many turns of a task at
//! once.
//!
//! A topic may have several writers: tasks of several partitions or sub-topologies, and the driver's own input. If each
//! task ran one turn at a time, they would write in the order of turns. A task that runs many turns at once writes all
//! of them before the next task does. So the stage holds the records until all writers have run, and sorts them by
//! turn.

use std::collections::BTreeMap;

use crate::step::Produced;
use crate::topology::{Operator, SubTopology, TopicId, Topology};

/// Records that are written, but not yet in their topics.
#[derive(Debug, Default)]
pub struct Stage {
    topics: BTreeMap<TopicId, Vec<(usize, Produced)>>,
}

impl Stage {
    /// The writer of the driver's input records: the first writer of a turn.
    pub const OUTSIDE: usize = 0;

    /// Adds a record. Writers are numbered from 1 in the order of a turn; each adds its records in order.
    pub fn put(&mut self, writer: usize, record: Produced) {
        self.topics.entry(record.topic).or_default().push((writer, record));
    }

    /// Takes the records of a topic in the order of turns, then writers.
    pub fn take(&mut self, topic: TopicId) -> Vec<Produced> {
        let mut records = self.topics.remove(&topic).unwrap_or_default();
        records.sort_by_key(|(writer, record)| (record.turn, *writer));
        records.into_iter().map(|(_, record)| record).collect()
    }

    /// Takes the records of all topics, topic by topic.
    pub fn take_all(&mut self) -> Vec<Produced> {
        let topics: Vec<TopicId> = self.topics.keys().copied().collect();
        topics.into_iter().flat_map(|topic| self.take(topic)).collect()
    }
}

impl Topology {
    /// Whether a sub-topology reads a topic that it writes itself, or that a later one writes. Then not all writers of
    /// a topic can run before its readers, and a driver runs one turn at a time.
    pub fn feeds_back(&self) -> bool {
        let reads = |part: &SubTopology, topic| part.inputs.contains(&topic);
        let parts = self.subtopologies.iter().enumerate();
        parts
            .flat_map(|(index, part)| part.outputs().map(move |topic| (index, topic)))
            .any(|(index, topic)| self.subtopologies.iter().take(index + 1).any(|earlier| reads(earlier, topic)))
    }
}

impl Topology {
    /// Whether a step sets timers.
    pub fn sets_timers(&self) -> bool {
        let timed = |operator: &Operator| matches!(operator, Operator::Process { timers: Some(_), .. });
        self.subtopologies.iter().flat_map(|part| &part.nodes).any(|node| timed(&node.operator))
    }
}

impl SubTopology {
    /// Topics it writes, except dead-letter topics.
    pub fn outputs(&self) -> impl Iterator<Item = TopicId> {
        self.nodes.iter().filter_map(|node| match node.operator {
            Operator::Sink { topic, .. } | Operator::Repartition { topic } => Some(topic),
            _ => None,
        })
    }
}

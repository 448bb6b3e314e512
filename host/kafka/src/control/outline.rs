//! The outline of a pipeline: enough to see that another one runs under the same name. A pipeline changes as it is
//! worked on, and stays the same app; two pipelines that have hardly anything in common are two apps, which must not
//! share a group, internal topics and offsets.

use std::collections::BTreeSet;

use millrace_engine::topology::{Operator, TopicId, TopicKind, Topology};
use serde::{Deserialize, Serialize};

/// The names in a pipeline. Members of its serialised form are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Outline {
    /// External topics that it reads.
    inputs: BTreeSet<String>,
    /// External topics that it writes.
    outputs: BTreeSet<String>,
    /// Its steps.
    steps: BTreeSet<String>,
    /// Topics that its tasks read, its own ones too; none where an earlier version has written it.
    read: BTreeSet<String>,
}

impl Outline {
    pub(super) fn of(topology: &Topology) -> Self {
        let topic = |topic: TopicId| topology.topics.get(topic.0).filter(|topic| topic.kind == TopicKind::External);
        let name = |id: TopicId| topic(id).map(|topic| topic.name.clone());
        let mut outline = Self::default();
        outline.inputs.extend(topology.globals.iter().filter_map(|table| name(table.topic)));
        for node in topology.subtopologies.iter().flat_map(|part| &part.nodes) {
            match &node.operator {
                Operator::Source { topic, .. } => outline.inputs.extend(name(*topic)),
                Operator::Sink { topic, .. } => outline.outputs.extend(name(*topic)),
                Operator::Repartition { .. } => {}
                _ => drop(outline.steps.insert(node.name.clone())),
            }
        }
        let read = topology.subtopologies.iter().flat_map(|part| &part.inputs);
        let read = read.filter_map(|topic| topology.topics.get(topic.0));
        outline.read.extend(read.map(|topic| topic.name.clone()));
        outline
    }

    /// Whether its tasks read a topic that those of the other one don't.
    pub(super) fn reads_more_than(&self, other: &Self) -> bool {
        !self.read().is_subset(&other.read)
    }

    /// Topics that its tasks read.
    pub(super) fn read(&self) -> &BTreeSet<String> {
        if self.read.is_empty() { &self.inputs } else { &self.read }
    }

    /// Whether both can be the same app at two times: they share the names of at least half of their inputs, outputs
    /// and steps.
    pub(super) fn is_same_app(&self, other: &Self) -> bool {
        let kinds = [(&self.inputs, &other.inputs), (&self.outputs, &other.outputs), (&self.steps, &other.steps)];
        let (mut both, mut common) = (0, 0);
        for (own, others) in kinds {
            both += usize::from(!own.is_empty() && !others.is_empty());
            common += usize::from(!own.is_disjoint(others));
        }
        common * 2 >= both
    }

    /// The topics that it reads and writes, for a message.
    pub(super) fn said(&self) -> String {
        let list =
            |names: &BTreeSet<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self.outputs.is_empty() {
            true => format!("reads {}", list(&self.inputs)),
            false => format!("reads {} and writes {}", list(&self.inputs), list(&self.outputs)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Outline {
        let names = |text: &str| text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let mut parts = text.split('|').map(names);
        let mut next = || parts.next().unwrap_or_default();
        Outline { inputs: next(), outputs: next(), steps: next(), read: next() }
    }

    #[test]
    fn a_pipeline_that_is_worked_on_stays_the_same_app_and_another_one_is_another() {
        for (one, other, same) in [
            ("payments stock|orders|resolve", "payments stock|orders|resolve", true),
            ("payments stock|orders|resolve", "payments stock returns|orders|resolve returned", true),
            ("payments stock|orders|resolve", "payments stock|decisions|resolve", true),
            ("payments stock|orders|resolve", "payments-2 stock-2|orders|resolve", true),
            ("payments stock|orders|resolve", "in|out|", false),
            ("payments stock|orders|resolve", "payments|mails|remind", false),
            ("in|out|", "in|out|once", true),
            ("in|out|", "in|else|", true),
            ("in|out|", "clicks|counts|", false),
            ("in||rows", "in||rows", true),
        ] {
            let [one, other] = [one, other].map(outline);
            assert_eq!((one.is_same_app(&other), other.is_same_app(&one)), (same, same), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_topic_that_is_no_longer_read_is_noticed_and_another_table_is_not() {
        for (before, now, more) in [
            ("a b|||a b sums-repartition", "b|||b sums-repartition", true),
            ("a|||a totals-repartition", "a|||a sums-repartition", true),
            ("a rates|||a", "a rates|||a b", false),
            ("a rates|||a", "a|||a", false),
            ("a rates|||a rates", "a rates|||a", true),
            // Of an earlier version.
            ("a b|||", "b|||b", true),
            ("a b|||", "a b|||a b", false),
        ] {
            assert_eq!(outline(before).reads_more_than(&outline(now)), more, "{before} {now}");
        }
    }
}

//! Partitions that have refused a batch without naming the record. Until a partition names it, or takes a record that
//! was sent to it, each record is sent for itself. A commit of another task doesn't concern this partition.

use std::collections::BTreeMap;

use millrace_engine::ports::StoreChanges;
use millrace_engine::task::Produced;
use millrace_engine::topology::Topology;

/// By topic and partition.
#[derive(Debug, Default)]
pub(crate) struct UnclearRefusals(BTreeMap<(String, i32), Stage>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has neither named nor taken a record.
    Open,
    /// The open transaction has records for it.
    Sent,
    /// It has named a record.
    Named,
}

impl UnclearRefusals {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A partition has refused a batch.
    pub(crate) fn add(&mut self, topic: &str, partition: i32) {
        self.0.insert((topic.to_owned(), partition), Stage::Open);
    }

    /// A partition has named a record that it refuses.
    pub(crate) fn name(&mut self, topic: &str, partition: i32) {
        self.set(topic, partition, Stage::Named);
    }

    /// These records are part of the transaction.
    pub(crate) fn sent(&mut self, topology: &Topology, records: &[Produced]) {
        if self.is_empty() {
            return;
        }
        for record in records {
            if let Some(topic) = topology.topics.get(record.topic.0) {
                self.set(&topic.name, record.partition.cast_signed(), Stage::Sent);
            }
        }
    }

    /// So are these entries of changelogs, which have these names.
    pub(crate) fn sent_changes(&mut self, changelogs: &[String], partition: u32, changes: &[StoreChanges]) {
        if self.is_empty() {
            return;
        }
        for change in changes.iter().filter(|change| !change.entries.is_empty()) {
            if let Some(topic) = changelogs.get(change.store.0) {
                self.set(topic, partition.cast_signed(), Stage::Sent);
            }
        }
    }

    fn set(&mut self, topic: &str, partition: i32, now: Stage) {
        let is_it = |(place, _): &(&(String, i32), &mut Stage)| place.0 == topic && place.1 == partition;
        if let Some((_, stage)) = self.0.iter_mut().find(is_it)
            && *stage != Stage::Named
        {
            *stage = now;
        }
    }

    /// The transaction is committed: what was sent has arrived.
    pub(crate) fn committed(&mut self) {
        self.0.retain(|_, stage| *stage == Stage::Open);
    }

    /// It is aborted.
    pub(crate) fn aborted(&mut self) {
        self.0.values_mut().filter(|stage| **stage == Stage::Sent).for_each(|stage| *stage = Stage::Open);
    }

    /// No refused record is sent again: all are committed, or another worker has their tasks.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use millrace_engine::ports::StoreId;

    use super::*;

    fn send(unclear: &mut UnclearRefusals, partition: u32) {
        let entries = vec![(Bytes::new(), None)];
        let change = StoreChanges { store: StoreId(1), entries, expire_before: None };
        unclear.sent_changes(&["other".into(), "out".into()], partition, &[change]);
    }

    #[test]
    fn records_are_sent_alone_until_a_commit_with_some_for_the_partition_that_refused() {
        let mut unclear = UnclearRefusals::default();
        unclear.add("out", 1);
        send(&mut unclear, 0);
        unclear.committed();
        assert!(!unclear.is_empty(), "it is another partition's");
        send(&mut unclear, 1);
        unclear.aborted();
        unclear.committed();
        assert!(!unclear.is_empty(), "they have not arrived");
        send(&mut unclear, 1);
        unclear.committed();
        assert!(unclear.is_empty());
    }

    #[test]
    fn a_partition_that_has_named_a_record_need_not_get_another_one() {
        let mut unclear = UnclearRefusals::default();
        unclear.name("out", 1);
        assert!(unclear.is_empty());
        unclear.add("out", 1);
        unclear.name("out", 1);
        unclear.aborted();
        assert!(!unclear.is_empty());
        unclear.committed();
        assert!(unclear.is_empty());
    }
}

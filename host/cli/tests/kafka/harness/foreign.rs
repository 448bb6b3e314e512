//! Transactions of another application, which stay open as long as a scenario needs.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::records::config;

/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(20);

/// An open transaction. [`end`](Self::end) aborts it; the broker does after ten minutes.
pub struct OpenTransaction {
    producer: BaseProducer,
}

impl OpenTransaction {
    /// Opens one with a record in a partition.
    pub fn with_a_record(bootstrap: &str, id: &str, topic: &str, partition: i32) -> Self {
        let open = Self::begin(bootstrap, id);
        open.producer.send(BaseRecord::to(topic).partition(partition).key("foreign").payload("")).unwrap();
        open.producer.flush(REQUEST).unwrap();
        open
    }

    /// Opens one that commits an offset of a group for a partition.
    pub fn with_an_offset(bootstrap: &str, id: &str, group: &str, topic: &str, partition: i32) -> Self {
        let open = Self::begin(bootstrap, id);
        let consumer: BaseConsumer = config(bootstrap).set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(1)).unwrap();
        let group = consumer.group_metadata().unwrap();
        open.producer.send_offsets_to_transaction(&list, &group, REQUEST).unwrap();
        open
    }

    fn begin(bootstrap: &str, id: &str) -> Self {
        let mut config = config(bootstrap);
        config.set("transactional.id", id).set("transaction.timeout.ms", "600000");
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(REQUEST).unwrap();
        producer.begin_transaction().unwrap();
        Self { producer }
    }

    /// Aborts it.
    pub fn end(self) {
        self.producer.abort_transaction(REQUEST).unwrap();
    }
}

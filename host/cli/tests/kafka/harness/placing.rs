//! Topics with partitions on nodes of the test's choice, and topics that grow.

use futures_executor::block_on;
use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;

use super::records::{Kafka, REQUEST};
use super::wait::until;

impl Kafka {
    /// Creates a topic with a partition for each list of nodes, which get its replicas.
    pub fn create_on(&self, topic: &str, replicas: &[&[i32]]) {
        let new = NewTopic::new(topic, replicas.len() as i32, TopicReplication::Variable(replicas));
        let new = new.set("retention.ms", "-1").set("min.insync.replicas", "1");
        for made in block_on(self.admin().create_topics(&[new], &AdminOptions::new())).unwrap() {
            made.unwrap();
        }
        until(&format!("`{topic}` is there"), || self.ends(topic, replicas.len() as i32).is_ok());
    }

    /// Gives a topic more partitions.
    pub fn grow(&self, topic: &str, partitions: i32) {
        let new = NewPartitions::new(topic, partitions as usize);
        for grown in block_on(self.admin().create_partitions(&[new], &AdminOptions::new())).unwrap() {
            grown.unwrap();
        }
        until(&format!("`{topic}` has grown"), || self.ends(topic, partitions).is_ok());
    }

    /// The numbers of the nodes, in the order of their ports.
    pub fn nodes(&self) -> Vec<i32> {
        let metadata = self.ask(|clients| clients.committed.fetch_metadata(None, REQUEST)).unwrap();
        let mut nodes: Vec<_> = metadata.brokers().iter().map(|node| (node.port(), node.id())).collect();
        nodes.sort_unstable();
        nodes.into_iter().map(|(_, id)| id).collect()
    }
}

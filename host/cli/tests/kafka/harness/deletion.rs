//! Topics that are deleted.

use futures_executor::block_on;
use rdkafka::admin::AdminOptions;

use super::records::Kafka;
use super::wait::until;

impl Kafka {
    /// Deletes a topic, and returns when it is gone.
    pub fn delete(&self, topic: &str) {
        for deleted in block_on(self.admin().delete_topics(&[topic], &AdminOptions::new())).unwrap() {
            deleted.unwrap();
        }
        until(&format!("`{topic}` is gone"), || self.topics(topic).is_ok_and(|topics| !topics.contains_key(topic)));
    }
}

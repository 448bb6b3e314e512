//! The brokers, and the external topics.

use std::time::Duration;

use futures_executor::block_on;
use millrace_broker::{Cluster, Options};
use rdkafka::admin::{AdminOptions, NewPartitions};

use crate::harness::records::Kafka;
use crate::harness::wait::{until, within};
use crate::names::{APP, DEAD, INPUTS, LARGEST_CHECKED, OUTPUTS, full, partitions_at_start};
use crate::plan::NODES;

/// Time limit for a broker to catch up with the others.
const IN_SYNC: Duration = Duration::from_secs(300);

/// Runs that are shorter would spend their time on compiling brokers.
const LONG: Duration = Duration::from_secs(300);

/// Starts three nodes, for this long.
pub fn start(time: Duration) -> Cluster {
    let settings = [
        ("group.min.session.timeout.ms", "500"),
        // A broker counts the age of a producer from the timestamps of its records, and forgets the sequence numbers of
        // those that send old ones. The most that there can be, so that old records can be sent.
        ("producer.id.expiration.ms", "2147483647"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Cluster::start(Options { nodes: NODES, settings, short_lived: time < LONG, ..Options::default() }).unwrap()
}

/// A client for the app's group.
pub fn client(cluster: &Cluster) -> Kafka {
    Kafka::new(&cluster.bootstrap(), APP)
}

/// Creates all external topics.
pub fn create_topics(kafka: &Kafka, options: &crate::options::Options) {
    let inputs = INPUTS.map(|topic| (topic, partitions_at_start(topic, options)));
    let outputs = OUTPUTS.map(|(topic, partitions, _)| (topic, partitions));
    for (topic, partitions) in inputs.into_iter().chain(outputs).chain([(DEAD, 2)]) {
        let largest = if topic == "checked" { LARGEST_CHECKED } else { 4_000_000 };
        let largest = largest.to_string();
        // Records of any age, from the past and the future.
        let settings = [
            ("retention.ms", "-1"),
            ("message.timestamp.after.max.ms", "9223372036854775807"),
            ("max.message.bytes", &largest),
        ];
        kafka.create(&full(topic), partitions, &settings);
    }
}

/// Gives a topic more partitions, and returns when they can be written to.
pub fn grow(kafka: &Kafka, topic: &str, partitions: i32) {
    let more = NewPartitions::new(topic, partitions as usize);
    for grown in block_on(kafka.admin().create_partitions([&more], &AdminOptions::new())).unwrap() {
        grown.unwrap();
    }
    until(&format!("`{topic}` has {partitions} partitions"), || kafka.ends(topic, partitions).is_ok());
}

/// Waits until every partition has all of its replicas again.
pub fn wait_until_in_sync(kafka: &Kafka) {
    within(IN_SYNC, "all replicas are in sync", || kafka.replicas_in_sync().is_ok_and(|replicas| replicas == NODES));
}

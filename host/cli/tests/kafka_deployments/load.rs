//! Load on an app: records at a steady rate, and a reader of its committed results that measures gaps.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::until;

/// Results come steadily if no partition is without one for so long.
const STEADY: Duration = Duration::from_millis(400);

/// Records come each so often.
pub const TICK: Duration = Duration::from_millis(5);

/// Records at a steady rate, each with a number.
pub struct Feed<'a> {
    pub bootstrap: &'a str,
    pub topic: &'a str,
    /// Number of keys, which come in turn.
    pub keys: u64,
    /// Records a second.
    pub rate: u64,
    pub stop: &'a AtomicBool,
}

impl Feed<'_> {
    /// Writes records until it is told to stop. Returns their number.
    pub fn run(&self) -> u64 {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap).set("enable.idempotence", "true").set("linger.ms", "1");
        // A key has the same partition in the input as in the results: what is in one there was processed by one task.
        config.set("partitioner", "murmur2_random");
        let producer: BaseProducer = config.create().unwrap();
        let (began, mut sent) = (Instant::now(), 0);
        while !self.stop.load(Ordering::Relaxed) {
            let due = began.elapsed().as_micros() as u64 * self.rate / 1_000_000;
            while sent < due {
                let (key, value) = (format!("k{}", sent % self.keys), format!(r#"{{"n":{sent},"amount":1}}"#));
                let record = BaseRecord::to(self.topic).key(&key).payload(&value).timestamp(1_000 + sent as i64);
                if producer.send(record).is_err() {
                    break;
                }
                sent += 1;
            }
            producer.poll(TICK);
        }
        producer.flush(Duration::from_secs(30)).unwrap();
        sent
    }
}

/// Tells threads to stop, in a test that fails, too.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads the committed records of topics with so many partitions, from the beginning.
pub fn reader(bootstrap: &str, topics: &[(&str, u32)]) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "gaps").set("isolation.level", "read_committed");
    config.set("fetch.wait.max.ms", "5").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut places = TopicPartitionList::new();
    for (topic, partitions) in topics {
        for partition in 0..*partitions {
            places.add_partition_offset(topic, partition.cast_signed(), Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&places).unwrap();
    consumer
}

/// Times between committed results of a partition.
#[derive(Default)]
pub struct Gaps {
    partitions: Mutex<BTreeMap<i32, Gap>>,
    /// Number of results.
    pub read: AtomicU64,
}

/// Committed results of a partition.
struct Gap {
    /// When the last one came.
    last: Instant,
    /// The longest time between two since it was asked last.
    longest: Duration,
}

impl Gaps {
    /// Reads results until it is told to stop.
    pub fn watch(&self, bootstrap: &str, (topic, partitions): (&str, u32), stop: &AtomicBool) {
        let consumer = reader(bootstrap, &[(topic, partitions)]);
        while !stop.load(Ordering::Relaxed) {
            let Some(Ok(message)) = consumer.poll(TICK) else { continue };
            let now = Instant::now();
            let mut partitions = self.partitions.lock().unwrap();
            let gap = partitions.entry(message.partition()).or_insert(Gap { last: now, longest: Duration::ZERO });
            gap.longest = gap.longest.max(now - gap.last);
            gap.last = now;
            self.read.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The longest time without a result of any partition since the last call.
    pub fn take_longest(&self) -> Duration {
        let mut partitions = self.partitions.lock().unwrap();
        let longest = |gap: &mut Gap| std::mem::take(&mut gap.longest).max(gap.last.elapsed());
        partitions.values_mut().map(longest).max().unwrap_or_default()
    }

    /// Waits until results come steadily: no rebalance goes on.
    pub fn wait_until_steady(&self) {
        let mut steady_since = Instant::now();
        until("results come steadily", || {
            std::thread::sleep(Duration::from_millis(100));
            if self.take_longest() > STEADY {
                steady_since = Instant::now();
            }
            steady_since.elapsed() > Duration::from_secs(1)
        });
    }
}

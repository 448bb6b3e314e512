//! A producer of input.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::records::config;

/// How long brokers may be down while it sends.
const PATIENCE: Duration = Duration::from_secs(120);

/// A record for a partition.
pub struct Parcel<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub timestamp: i64,
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Sends records one by one, each once.
pub struct Sender(BaseProducer<Deliveries>);

/// Sees that everything arrives.
#[derive(Clone, Default)]
struct Deliveries(Arc<AtomicUsize>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sender {
    /// A sender to this cluster.
    pub fn new(bootstrap: &str) -> Self {
        let mut config = config(bootstrap);
        config.set("enable.idempotence", "true").set("linger.ms", "5").set("message.max.bytes", "4000000");
        config.set("topic.metadata.refresh.interval.ms", "1000");
        config.set("message.timeout.ms", PATIENCE.as_millis().to_string());
        Self(config.create_with_context(Deliveries::default()).unwrap())
    }

    /// Serves delivery reports for this long.
    pub fn serve(&self, time: Duration) {
        self.0.poll(time);
    }

    /// Sends a record; waits while too many are in flight.
    pub fn send(&self, parcel: &Parcel<'_>) {
        let mut record = BaseRecord::<[u8], [u8], ()>::to(parcel.topic).partition(parcel.partition);
        (record.key, record.payload) = (parcel.key, parcel.value);
        record = record.timestamp(parcel.timestamp);
        if !parcel.headers.is_empty() {
            let headers = parcel.headers.iter().map(|(key, value)| Header { key, value: Some(*value) });
            record = record.headers(headers.fold(OwnedHeaders::new(), OwnedHeaders::insert));
        }
        while let Err((error, unsent)) = self.0.send(record) {
            match error {
                // Meanwhile the queue empties, and the client learns of new partitions.
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::UnknownPartition) => {
                    record = unsent;
                }
                error => panic!("the input can't be sent: {error}"),
            }
            self.serve(Duration::from_millis(20));
        }
    }

    /// Waits until all records are acknowledged, and returns their number.
    pub fn finish(self) -> usize {
        self.0.flush(PATIENCE).unwrap();
        self.0.context().0.load(Ordering::Relaxed)
    }
}

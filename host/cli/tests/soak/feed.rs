//! Sends the input by its schedule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::harness::sender::{Parcel, Sender};
use crate::input::{CLOSER, HEADER, Input, Outgoing, STEP};
use crate::names::{INPUTS, full, partitions_at_start};
use crate::options::Options;

/// A thread that sends.
pub struct Feed {
    thread: JoinHandle<()>,
    told: Arc<Told>,
}

/// The state that it shares with its thread.
struct Told {
    sent: AtomicUsize,
    events: AtomicI32,
    stop: AtomicBool,
}

impl Feed {
    /// Starts to send records when they are due. Times count from now, which is `base` in milliseconds since the epoch.
    pub fn start(bootstrap: &str, options: &Options, mut input: Input, base: i64) -> Self {
        let partitions = Partitions::at_start(options);
        let events = AtomicI32::new(partitions.0["events"]);
        let time = options.time();
        let told = Arc::new(Told { sent: AtomicUsize::new(0), events, stop: AtomicBool::new(false) });
        let (shared, bootstrap) = (Arc::clone(&told), bootstrap.to_owned());
        let start = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut partitions = partitions;
            let sender = Sender::new(&bootstrap);
            let mut due = start;
            while due < start + time && !shared.stop.load(Ordering::Relaxed) {
                while Instant::now() < due {
                    sender.serve(due - Instant::now());
                }
                let records = input.next();
                partitions.0.insert("events", shared.events.load(Ordering::Relaxed));
                send(&sender, &records, base, &partitions);
                shared.sent.fetch_add(records.len(), Ordering::Relaxed);
                due += STEP;
            }
            let delivered = sender.finish();
            assert_eq!(delivered, shared.sent.load(Ordering::Relaxed), "input got lost on its way to the broker");
        });
        Self { thread, told }
    }

    /// Number of records sent.
    pub fn sent(&self) -> usize {
        self.told.sent.load(Ordering::Relaxed)
    }

    /// Number of partitions of `events` that it sends to.
    pub fn events(&self) -> i32 {
        self.told.events.load(Ordering::Relaxed)
    }

    /// Sets the number of partitions that it sends to.
    pub fn set_events(&self, partitions: i32) {
        self.told.events.store(partitions, Ordering::Relaxed);
    }

    /// Waits until all records are sent and acknowledged. An error says what failed.
    pub fn finish(self) -> Result<usize, String> {
        let lost = "the input could not be sent";
        self.thread.join().map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_else(|| lost.into()))?;
        Ok(self.told.sent.load(Ordering::Relaxed))
    }
}

/// Sends records at once, and waits until they are acknowledged.
pub fn send_all(bootstrap: &str, options: &Options, records: &[Outgoing], base: i64) {
    let sender = Sender::new(bootstrap);
    send(&sender, records, base, &Partitions::at_start(options));
    assert_eq!(sender.finish(), records.len(), "records got lost on their way to the broker");
}

/// How many each topic has.
struct Partitions(BTreeMap<&'static str, i32>);

impl Partitions {
    fn at_start(options: &Options) -> Self {
        Self(INPUTS.iter().map(|topic| (*topic, partitions_at_start(topic, options))).collect())
    }
}

fn send(sender: &Sender, records: &[Outgoing], base: i64, partitions: &Partitions) {
    for record in records {
        let header = record.header.as_deref();
        let name = if header == Some(CLOSER.as_bytes()) { CLOSER } else { HEADER };
        let headers: Vec<_> = header.map(|value| (name, value)).into_iter().collect();
        sender.send(&Parcel {
            topic: &full(record.topic),
            partition: record.partition.rem_euclid(partitions.0[record.topic].into()) as i32,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            timestamp: base + record.time,
            headers: &headers,
        });
    }
}

//! On a real broker: each committed record is read once and in order, wherever reading is left and gone on with.

use std::ffi::CString;
use std::time::Instant;

use millrace_broker::{Cluster, Options, for_test};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::*;
use crate::client::settings::ClientSettings;

const TOPIC: &str = "numbers";

/// How long a test waits for what must happen before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn cluster() -> Option<Cluster> {
    let mut cluster = for_test(Options::default()).unwrap()?;
    cluster.create_topic(TOPIC, 1, &[]).unwrap();
    Some(cluster)
}

/// Writes numbers to the topic, outside of transactions and in them.
struct Writer {
    plain: BaseProducer,
    transactions: BaseProducer,
    next: u64,
    /// Numbers that are to be read.
    committed: Vec<u64>,
}

impl Writer {
    fn new(bootstrap: &str) -> Self {
        let config = |id: Option<&str>| {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", bootstrap).set("linger.ms", "0");
            id.map(|id| config.set("transactional.id", id));
            config.create::<BaseProducer>().unwrap()
        };
        let (plain, transactions) = (config(None), config(Some("numbers")));
        transactions.init_transactions(PATIENCE).unwrap();
        Self { plain, transactions, next: 0, committed: Vec::new() }
    }

    fn send(&mut self, producer: fn(&Self) -> &BaseProducer, count: u64) -> Vec<u64> {
        let numbers: Vec<u64> = (self.next..self.next + count).collect();
        self.next += count;
        for number in &numbers {
            let value = number.to_string();
            producer(self).send(BaseRecord::<(), str>::to(TOPIC).partition(0).payload(&value)).unwrap();
        }
        producer(self).flush(PATIENCE).unwrap();
        numbers
    }

    fn write(&mut self, count: u64) {
        let numbers = self.send(|writer| &writer.plain, count);
        self.committed.extend(numbers);
    }

    /// Writes this many records in a transaction, and so many others in the middle of it.
    fn transact(&mut self, count: u64, others: u64, commit: bool) {
        self.transactions.begin_transaction().unwrap();
        let before = self.send(|writer| &writer.transactions, count);
        let other = self.send(|writer| &writer.plain, others);
        let after = self.send(|writer| &writer.transactions, count);
        let parts = [(before, commit), (other, true), (after, commit)];
        if commit {
            self.transactions.commit_transaction(PATIENCE).unwrap();
        } else {
            self.transactions.abort_transaction(PATIENCE).unwrap();
        }
        let kept = parts.into_iter().filter(|(_, kept)| *kept);
        self.committed.extend(kept.flat_map(|(numbers, _)| numbers));
    }
}

/// Reads them as a worker does.
struct Reader {
    fetcher: Fetcher,
    topic: CString,
    entered: bool,
    next: i64,
    /// The end that was met since the last record.
    end: Option<i64>,
    read: Vec<u64>,
}

impl Reader {
    fn new(bootstrap: &str) -> Self {
        let settings = ClientSettings::new("test", "1", bootstrap, &[], Duration::ZERO).unwrap();
        let fetcher = Fetcher::new(&settings.fetcher("test")).unwrap();
        let topic = c_name(TOPIC);
        fetcher.assign(&place(&topic, 0, Offset::Offset(0)).unwrap()).unwrap();
        Self { fetcher, topic, entered: true, next: 0, end: None, read: Vec::new() }
    }

    fn poll(&mut self, timeout: Duration) {
        let Self { fetcher, next, end, read, .. } = self;
        fetcher.poll(timeout, |_, _, fetched| match fetched {
            Fetched::Record(message) if message.offset() < *next => {}
            Fetched::Record(message) => {
                (*next, *end) = (message.offset() + 1, None);
                read.push(std::str::from_utf8(message.value().unwrap()).unwrap().parse().unwrap());
            }
            Fetched::End(offset) => (*next, *end) = (offset.max(*next), Some(offset)),
            Fetched::Failed(code, text) => panic!("at {next}: {code}: {text}"),
        });
    }

    fn poll_until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(Instant::now() < until, "waited in vain for {what}: {} read, next {}", self.read.len(), self.next);
            self.poll(Duration::from_millis(20));
        }
    }

    fn turn(&mut self) {
        if self.entered {
            self.fetcher.leave(&self.topic, 0).unwrap();
        } else {
            self.fetcher.enter(&self.topic, 0, self.next).unwrap();
        }
        self.entered = !self.entered;
    }
}

#[test]
fn a_record_that_is_written_while_reading_is_left_at_the_end_is_read() {
    let Some(cluster) = cluster() else { return };
    let (mut writer, mut reader) = (Writer::new(&cluster.bootstrap()), Reader::new(&cluster.bootstrap()));
    writer.write(3);
    reader.poll_until("the end", |reader| reader.end == Some(3));
    reader.turn();
    writer.write(1);
    reader.turn();
    reader.poll_until("the record", |reader| reader.end == Some(4));
    assert_eq!(reader.read, writer.committed);
    // Nothing has come meanwhile: the end is told again.
    reader.turn();
    reader.end = None;
    reader.turn();
    reader.poll_until("the same end", |reader| reader.end == Some(4));
}

/// What is done is drawn from a seed: records outside of transactions, in those that are committed, and in those that
/// are given up; and reading a little, to an end, or not at all before it is left or gone on with.
#[test]
fn wherever_reading_is_left_every_committed_record_is_read_once_and_in_order() {
    let Some(cluster) = cluster() else { return };
    let (mut writer, mut reader) = (Writer::new(&cluster.bootstrap()), Reader::new(&cluster.bootstrap()));
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    let mut throw = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % sides
    };
    let mut done = Vec::new();
    for step in 0..250 {
        let (which, count, others) = (throw(8), 1 + throw(3), throw(3));
        done.push((which, count, others));
        match which {
            0 => writer.write(count),
            1 => writer.transact(count, others, true),
            2 => writer.transact(count, others, false),
            3 | 4 => reader.turn(),
            5 => reader.poll(Duration::ZERO),
            6 => reader.poll(Duration::from_millis(5)),
            _ if reader.entered => reader.poll_until("an end", |reader| reader.end.is_some()),
            _ => {}
        }
        let expected = writer.committed.get(..reader.read.len());
        assert_eq!(expected, Some(reader.read.as_slice()), "after step {step} of {done:?}");
    }
    if !reader.entered {
        reader.turn();
    }
    reader.poll_until("all records", |reader| reader.read.len() == writer.committed.len());
    assert_eq!(reader.read, writer.committed);
}

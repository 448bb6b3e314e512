//! Access to Kafka for tests, independent of the driver.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::wait::until;

/// Time limit of a request: brokers are killed here, so some take long.
pub(super) const REQUEST: Duration = Duration::from_secs(5);

/// Time limit for reading a topic to its end.
const READ: Duration = Duration::from_secs(60);

/// A record in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    /// Names and values, in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// Its key as a number; panics if it is none.
    pub fn number(&self) -> i64 {
        i64::from_be_bytes(self.key.as_deref().expect("a key").try_into().expect("a key of 8 bytes"))
    }

    /// A header; empty if it is missing or no text.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().rfind(|(found, _)| found == name);
        let value = found.and_then(|(_, value)| value.as_deref());
        value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
    }
}

/// The end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Last stable offset.
    pub stable: i64,
    /// High watermark.
    pub high: i64,
}

/// A cluster as a client sees it.
pub struct Kafka {
    bootstrap: String,
    app: String,
    clients: RefCell<Rc<Clients>>,
}

/// Consumers that only look up the ends of partitions.
pub(super) struct Clients {
    pub(super) committed: BaseConsumer,
    uncommitted: BaseConsumer,
}

impl Kafka {
    /// A consumer to look up the committed offsets of an app.
    pub fn new(bootstrap: &str, app: &str) -> Self {
        let clients = RefCell::new(Rc::new(Clients::new(bootstrap, app)));
        Self { bootstrap: bootstrap.into(), app: app.into(), clients }
    }

    /// Makes a request; after a failure with new clients, since a client that reads nothing never refreshes its
    /// leaders.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Clients) -> KafkaResult<T>) -> KafkaResult<T> {
        let clients = Rc::clone(&self.clients.borrow());
        let answer = question(&clients);
        if answer.is_err() {
            *self.clients.borrow_mut() = Rc::new(Clients::new(&self.bootstrap, &self.app));
        }
        answer
    }

    /// Topics with this prefix, with their numbers of partitions.
    pub fn topics(&self, prefix: &str) -> KafkaResult<BTreeMap<String, i32>> {
        let metadata = self.ask(|clients| clients.committed.fetch_metadata(None, REQUEST))?;
        let topics = metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix));
        Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32)).collect())
    }

    /// The ends of the partitions of a topic.
    pub fn ends(&self, topic: &str, partitions: i32) -> KafkaResult<Vec<Ends>> {
        let end = |clients: &Clients, partition| {
            let stable = clients.committed.fetch_watermarks(topic, partition, REQUEST)?.1;
            let high = clients.uncommitted.fetch_watermarks(topic, partition, REQUEST)?.1;
            Ok(Ends { stable, high })
        };
        self.ask(|clients| (0..partitions).map(|partition| end(clients, partition)).collect())
    }

    /// The committed offsets of the app; -1 if it has none.
    pub fn positions(&self, topic: &str, partitions: i32) -> KafkaResult<Vec<i64>> {
        self.positions_of(topic, 0..=partitions - 1)
    }

    /// The same for some partitions: if one is undecided, the request fails for all.
    pub fn positions_of(&self, topic: &str, partitions: RangeInclusive<i32>) -> KafkaResult<Vec<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, *partitions.start(), *partitions.end());
        let committed = self.ask(|clients| clients.committed.committed_offsets(list, REQUEST))?;
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { -1 };
        Ok(committed.elements().iter().map(|place| offset(place.offset())).collect())
    }

    /// The lowest number of in-sync replicas of any partition.
    pub fn replicas_in_sync(&self) -> KafkaResult<usize> {
        let metadata = self.ask(|clients| clients.committed.fetch_metadata(None, REQUEST))?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        Ok(partitions.map(|partition| partition.isr().len()).min().unwrap_or(0))
    }

    /// Number of members of a group.
    pub fn members(&self, group: &str) -> KafkaResult<usize> {
        let list = self.ask(|clients| clients.committed.fetch_group_list(Some(group), REQUEST))?;
        Ok(list.groups().iter().map(|group| group.members().len()).sum())
    }

    /// All committed records of a topic, by partition.
    pub fn read(&self, topic: &str) -> Vec<Vec<Record>> {
        // Where a broker is down, one request may be too little.
        let mut topics = None;
        until("the cluster lists its topics", || {
            topics = self.topics(topic).ok();
            topics.is_some()
        });
        let partitions = topics.and_then(|topics| topics.get(topic).copied()).unwrap_or(0);
        let mut config = config(&self.bootstrap);
        config.set("group.id", "reader").set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        let reader: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        reader.assign(&list).unwrap();
        let mut read = vec![Vec::new(); partitions as usize];
        let mut at_end = vec![false; partitions as usize];
        let limit = Instant::now() + READ;
        while at_end.contains(&false) {
            assert!(Instant::now() < limit, "`{topic}` could not be read to its end");
            match reader.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => read[message.partition() as usize].push(record(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => at_end[partition as usize] = true,
                Some(Err(_)) | None => {}
            }
        }
        read
    }

    /// The settings of a topic.
    pub fn settings(&self, topic: &str) -> BTreeMap<String, String> {
        let topics = [ResourceSpecifier::Topic(topic)];
        let mut answers = block_on(self.admin().describe_configs(&topics, &AdminOptions::new())).unwrap();
        let entries = answers.pop().unwrap().unwrap().entries.into_iter();
        entries.filter_map(|entry| Some((entry.name, entry.value?))).collect()
    }

    /// Creates a topic, and returns when it can be written to.
    pub fn create(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        for made in block_on(self.admin().create_topics(&[new], &AdminOptions::new())).unwrap() {
            made.unwrap();
        }
        until(&format!("`{topic}` is there"), || self.ends(topic, partitions).is_ok());
    }

    /// A client that changes topics.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        config(&self.bootstrap).create().unwrap()
    }
}

impl Clients {
    fn new(bootstrap: &str, app: &str) -> Self {
        let consumer = |isolation: &str| {
            let config = config(bootstrap).set("group.id", app).set("isolation.level", isolation).clone();
            config.create::<BaseConsumer>().unwrap()
        };
        Self { committed: consumer("read_committed"), uncommitted: consumer("read_uncommitted") }
    }
}

fn record(message: &impl Message) -> Record {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Record {
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
    }
}

/// Settings of a client that doesn't log lost connections.
pub fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("reconnect.backoff.max.ms", "500");
    config.set("log_level", "0");
    config
}

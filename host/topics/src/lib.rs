//! Reading, writing, listing and creating topics from outside an app: a port that each driver implements, so that a
//! command needn't know whether a topic is in a data folder or on a Kafka cluster.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use millrace_topics::{Selection, Topics};
//!
//! /// Counts the committed records of a topic.
//! fn count<E>(topics: &mut dyn Topics<Error = E>, topic: &str) -> Result<u64, E> {
//!     let mut count = 0;
//!     let selection = Selection { topic, partition: None, from: 0, limit: u64::MAX };
//!     topics.read(&selection, &mut |_partition, _record| {
//!         count += 1;
//!         ControlFlow::Continue(())
//!     })?;
//!     Ok(count)
//! }
//! ```

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::{Headers, InputRecord, Timestamp};

/// The topics of a data folder or of a cluster.
///
/// Errors are the driver's. A name that no topic has, or a number that no partition has, is an error of every method
/// that is given one, and the error says which names or numbers there are.
pub trait Topics {
    /// The driver's error.
    type Error;

    /// All topics by name, without those that belong to the broker itself.
    ///
    /// # Errors
    /// The topics can't be read.
    fn list(&mut self) -> Result<Vec<TopicInfo>, Self::Error>;

    /// The number of partitions of a topic.
    ///
    /// # Errors
    /// There is no such topic.
    fn partitions(&mut self, topic: &str) -> Result<u32, Self::Error>;

    /// How the keys of each topic are encoded, by name; `None` where keys are bytes and nothing more is recorded, as on
    /// Kafka. A topic of which it isn't recorded has an entry without a codec.
    ///
    /// # Errors
    /// The topics can't be read.
    fn key_codecs(&mut self) -> Result<Option<BTreeMap<String, Option<KeyCodec>>>, Self::Error>;

    /// Creates a topic. If it exists and is like `new`, it stays as it is.
    ///
    /// # Errors
    /// The topic exists and differs, or can't be created.
    fn create(&mut self, new: &NewTopic<'_>) -> Result<(), Self::Error>;

    /// Passes the committed records of a topic to `visit`, partition by partition, up to where each partition ended
    /// when the reading began, until `visit` breaks or the limit is reached. Returns how many offsets weren't committed
    /// yet: those of open transactions and all behind them. It is 0 if the reading stopped early.
    ///
    /// # Errors
    /// There is no such topic or partition, or it can't be read.
    fn read(
        &mut self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(u32, InputRecord) -> ControlFlow<()>,
    ) -> Result<u64, Self::Error>;

    /// A writer to these topics.
    ///
    /// # Errors
    /// The topics can't be written to.
    fn writer(&mut self) -> Result<Box<dyn Writer<Error = Self::Error> + '_>, Self::Error>;
}

/// Writes records in batches: [`add`](Self::add) as many as fit into memory, [`flush`](Self::flush), and so on; then
/// [`finish`](Self::finish), also after an error.
pub trait Writer {
    /// The driver's error.
    type Error;

    /// Checks a record and adds it to the batch. Nothing is written yet.
    ///
    /// # Errors
    /// There is no such topic or partition, or the topic can't take this record.
    fn add(&mut self, record: OutgoingRecord) -> Result<(), Self::Error>;

    /// Writes the batch. Breaks once a record is known not to have been written: the caller adds no more then.
    ///
    /// # Errors
    /// The batch can't be written.
    fn flush(&mut self) -> Result<ControlFlow<()>, Self::Error>;

    /// Waits until the fate of each record is known.
    fn finish(self: Box<Self>) -> Receipt;
}

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Number of offsets: on Kafka, transaction markers and compacted records have some too.
    pub records: i64,
}

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic<'a> {
    /// Name.
    pub name: &'a str,
    /// Number of partitions. `None`: as many as the topic has if it exists in a data folder, otherwise 1.
    pub partitions: Option<u32>,
    /// Number of replicas of each partition; `None` is the broker's default. A data folder has no replicas.
    pub replication_factor: Option<i32>,
    /// How keys are encoded; recorded in a data folder only.
    pub key: Option<KeyCodec>,
    /// Kafka's settings of the topic; a data folder has none.
    pub config: &'a [(String, String)],
}

/// Which records to read.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Name of the topic.
    pub topic: &'a str,
    /// Only this partition; `None` is all of them.
    pub partition: Option<u32>,
    /// First offset in each partition; where the partition begins later, its first one.
    pub from: i64,
    /// At most this many records.
    pub limit: u64,
}

/// A record to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// Number of the input line that it is from: errors and the [`Receipt`] name records by it.
    pub line: u64,
    /// Name of the topic.
    pub topic: String,
    /// Partition. `None`: its key decides, and records without a key go to the partitions in turn.
    pub partition: Option<u32>,
    /// Key; `None` is null.
    pub key: Option<Bytes>,
    /// Value; `None` is null, a tombstone.
    pub value: Option<Bytes>,
    /// Event time.
    pub timestamp: Timestamp,
    /// Headers.
    pub headers: Headers,
}

impl OutgoingRecord {
    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        size_of::<Self>() + self.topic.len() + length(&self.key) + length(&self.value) + self.headers.held()
    }
}

/// What became of the records of a [`Writer`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Number of records that were sent, undelivered ones included.
    pub sent: u64,
    /// Line of the last one that was sent; 0 if none was.
    pub last_line: u64,
    /// Records that were sent and not acknowledged, by line.
    pub undelivered: Vec<Undelivered>,
    /// Whether records of a flush that failed may have been written all the same.
    pub in_doubt: bool,
    /// Number of records whose timestamp was 0 and is 1 now: Kafka's client takes 0 for the time of sending.
    pub timestamps_moved: u64,
    /// Whether the records are on their way to the app that runs on the data folder, which writes them to its log.
    pub handed_over: bool,
}

/// A record that was sent and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Its input line.
    pub line: u64,
    /// Why no acknowledgement came.
    pub reason: String,
    /// Whether the topic may have it all the same: it was sent, and no answer came.
    pub unknown: bool,
}

//! The durable log: topics with partitions of records, in the same database as the state they lead to.
//!
//! Records that are appended in one batch with the state and the committed offsets become durable with them or not at
//! all: that is how this driver processes exactly once.
//!
//! A worker collects the records that it appends in a [`Tail`], where it can already read them. [`Log::prepare`] gives
//! them their final offsets and puts them into the batch; [`PreparedAppend::publish`] shows them to all readers after
//! the batch is written.
//!
//! ```text
//! Tail::append ──► Log::prepare ──► Database::write ──► PreparedAppend::publish
//!      │                │                  │
//!      └── clear ◄──────┴──── dropped ◄────┘  on abort
//! ```
//!
//! ```
//! use bytes::Bytes;
//! use millrace_embedded::log::{Log, NewRecord, Tail};
//! use millrace_store::{Batch, Database, Durability, OpenOptions};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path();
//! let options = OpenOptions { families: &Log::FAMILIES, ..OpenOptions::new(&[]) };
//! let database = Arc::new(Database::open(path, &options)?);
//! let log = Arc::new(Log::open(Arc::clone(&database))?);
//! let orders = log.create_topic("orders", 2)?;
//!
//! let mut tail = Tail::new(&log);
//! tail.append(orders, 0, NewRecord::new(1_000, "42", "paid"))?;
//!
//! let mut batch = Batch::new(&database);
//! let prepared = log.prepare(&mut tail, &mut batch)?;
//! log.commit_offset(&mut batch, "app", orders, 0, 0)?;
//! database.write(batch, Durability::Buffered)?;
//! prepared.publish();
//!
//! let mut reader = log.reader(orders, 0, 0)?;
//! let record = reader.next_record()?.ok_or("there is a record")?;
//! assert_eq!((record.offset, record.value), (0, Some(Bytes::from("paid"))));
//! assert!(reader.next_record()?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! | column family | key | value |
//! |---|---|---|
//! | `log` | topic u32, partition u32, base offset u64 | a block of records, see `log/codec.rs` |
//! | `topics` | name | topic u32, number of partitions u32 |
//! | `offsets` | length of app u16, app, topic u32, partition u32 | offset of the next record i64 |
//! | `control` | any | any |

pub(crate) mod codec;
mod commit;
mod error;
mod keys;
mod offsets;
mod reader;
mod record;
mod tail;
mod topics;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use millrace_store::{Database, Family, Shape};

pub use commit::PreparedAppend;
pub use error::LogError;
pub use reader::Reader;
pub use record::NewRecord;
pub use tail::Tail;
pub use topics::LogTopicId;
use topics::{Partition, Topics};

const LOG: &str = "log";
const TOPICS: &str = "topics";
const OFFSETS: &str = "offsets";
const CONTROL: &str = "control";

/// Topics with partitions of records. Threads share it; see the [module](self).
pub struct Log {
    database: Arc<Database>,
    topics: RwLock<Topics>,
    /// Locked from when records get their offsets until they are written, so that appends have one order.
    appending: Mutex<()>,
}

impl Log {
    /// The column families that a database with a log is opened with.
    pub const FAMILIES: [Family<'static>; 4] = [
        Family { name: LOG, shape: Shape::Blocks },
        Family { name: TOPICS, shape: Shape::Entries },
        Family { name: OFFSETS, shape: Shape::Entries },
        Family { name: CONTROL, shape: Shape::Entries },
    ];

    /// The log of this database. A database that is open for writing must have only one.
    ///
    /// # Errors
    /// The database wasn't opened with [`Log::FAMILIES`], or can't be read; [`LogError::Corrupt`]: a block of records
    /// is damaged.
    pub fn open(database: Arc<Database>) -> Result<Self, LogError> {
        let topics = Topics::load(&database)?;
        Ok(Self { database, topics: RwLock::new(topics), appending: Mutex::new(()) })
    }

    /// The database of the log.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// Reads a partition from this offset on.
    ///
    /// # Errors
    /// [`LogError::UnknownPartition`]: there is none.
    pub fn reader(&self, topic: LogTopicId, partition: u32, offset: i64) -> Result<Reader, LogError> {
        let state = self.partition(topic, partition)?;
        Ok(Reader::new(Arc::clone(&self.database), state, topic, partition, offset))
    }

    fn partition(&self, topic: LogTopicId, partition: u32) -> Result<Arc<Partition>, LogError> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.partition(topic, partition).ok_or(LogError::UnknownPartition { topic, partition })
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.appending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

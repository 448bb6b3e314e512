//! State stores of Millrace on RocksDB. They have committed state only.
//!
//! One [`Database`] has the stores of all tasks of a process, and families of the driver's. The engine keeps the writes
//! of an open transaction. At the commit they go into one [`Batch`], of which [`Database::write`] writes all or
//! nothing. [`TaskBackend`] is the engine's view of the database.
//!
//! | column family | key | value |
//! |---|---|---|
//! | `s.<store>` | partition u32, key of the engine (see [`millrace_engine::state::keys`]) | the engine's |
//! | any other name | the driver's | the driver's |
//! | `default` | unused; every RocksDB database has it | |
//!
//! ```
//! use bytes::Bytes;
//! use millrace_engine::manifest::KeyCodec;
//! use millrace_engine::ports::{Backend, StoreChanges, StoreId};
//! use millrace_engine::topology::{StoreKind, StoreSpec};
//! use millrace_store::{Batch, Database, Durability, OpenOptions};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path();
//! let orders = StoreSpec {
//!     name: "orders".into(),
//!     kind: StoreKind::Table,
//!     key: KeyCodec::Bytes,
//!     queryable: true,
//!     subtopology: 0,
//! };
//! let database = Arc::new(Database::open(path, &OpenOptions::new(&[orders]))?);
//!
//! let mut batch = Batch::new(&database);
//! let entries = vec![(Bytes::from("42"), Some(Bytes::from("paid")))];
//! batch.apply(&StoreChanges { store: StoreId(0), entries, expire_before: None }, 0)?;
//! database.write(batch, Durability::Buffered)?;
//!
//! let task = database.backend(0);
//! assert_eq!(task.get(StoreId(0), b"42")?, Some(Bytes::from("paid")));
//! assert_eq!(database.backend(1).get(StoreId(0), b"42")?, None);
//! # Ok(())
//! # }
//! ```

mod database;
mod error;
mod expiry;
mod families;
mod format;
mod options;
mod prefix;
mod raw;
mod statistics;
mod tuning;

pub use database::{Batch, Database, Durability, SHARED, TaskBackend};
pub use error::Error;
pub use options::{Family, OpenOptions, Shape, Wal};
pub use statistics::{Statistics, StoreStatistics};

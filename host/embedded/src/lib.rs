//! The embedded driver: the tasks of an app over a durable log in one process.
//!
//! One RocksDB database holds the log, offsets and state, and every commit is one batch: exactly once without a broker.
//! [`run`] goes by the wall clock, [`replay`] by the timestamps of records; both drive the same [`Worker`].

pub mod catalog;
mod clock;
pub mod deploy;
mod error;
mod files;
mod inbox;
pub mod log;
pub mod replay;
pub mod run;
pub mod topics;
mod worker;

pub use error::Error;
pub use inbox::{InboxRecord, leave_records};
pub use worker::{Worker, WorkerOptions};

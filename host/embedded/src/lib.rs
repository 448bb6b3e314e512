//! The embedded driver: the tasks of an app over a durable log in one process.
//!
//! One RocksDB holds the log, offsets and state, and every commit is one batch: exactly once without a broker. [`run`]
//! moves on with the clock on the wall, [`replay`] with that of its records; both drive the same [`Worker`].

pub mod catalog;
pub mod deploy;
mod error;
mod inbox;
pub mod log;
pub mod replay;
pub mod run;
pub mod topics;
mod worker;

pub use error::Error;
pub use inbox::{Letter, send};
pub use worker::{Worker, WorkerOptions};

//! The Kafka driver.

mod cluster;
mod context;
mod control;
mod crew;
mod error;
mod faults;
pub mod folder;
mod gate;
mod globals;
mod group;
mod idle;
mod instance;
mod internal_topics;
mod lifecycle;
mod limits;
mod metadata;
mod native;
mod positions;
mod postponed;
mod producer;
mod pulse;
mod purge;
pub mod records;
pub mod reset;
mod restore;
mod settings;
mod start;
mod tasks;
mod worker;

pub use cluster::{Cluster, TopicSpec};
pub use crew::Guests;
pub use error::Error;
pub use instance::{Options, Report, run};
pub use lifecycle::State;
pub use settings::ClientSettings;
pub use worker::WorkerOptions;

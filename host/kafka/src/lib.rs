//! The Kafka driver. Each folder is a room, and imports only from rooms before it in this order: `error`, `client`,
//! `tasks`, `cluster`, `control`, `group`, `state`, `worker`, `instance`. `commands` stands beside the instance.

mod client;
mod clock;
mod cluster;
mod commands;
mod control;
mod error;
mod faults;
mod group;
mod instance;
mod state;
mod tasks;
mod worker;

pub use client::settings::{ClientSettings, Mistake, mistakes};
pub use cluster::{Cluster, TopicSpec};
pub use commands::{deployments, gc, offsets, records, reset, topics};
pub use control::{InstanceNote, Refused};
pub use error::Error;
pub use instance::{App, Guests, Options, Report, State, run};
pub use state::folder;
pub use worker::{Lag, WorkerOptions};

//! The harness of the scenarios.

mod app;
mod broker;
mod deletion;
mod expected;
mod feeder;
mod foreign;
mod input;
mod lines;
mod oracles;
mod placing;
mod plain;
mod process;
mod records;
mod rules;
mod same;
mod saying;
mod sender;
mod state;
mod stores;
mod wait;

pub use app::{App, Settings, copy_folder};
pub use broker::{options, own_broker, shared_broker};
pub use foreign::OpenTransaction;
pub use input::Shape;
pub use plain::Plain;
pub use process::Process;
pub use records::{Kafka, Record};
pub use rules::{allow, allow_group};
pub use wait::{PATIENCE, until, within};

//! Apache Kafka on this machine, for tests, benchmarks and daily work.
//!
//! A [`Cluster`] is one or more brokers in KRaft mode, run by the Java of this machine from jars that Maven fetches
//! once. It listens on loopback only, answers when it is returned, and is gone when it is dropped: its processes and
//! its data, also when the process that holds it is killed. Brokers can be killed, stopped, paused and started again,
//! which is what tests of faults need.
//!
//! ```no_run
//! use millrace_broker::{Cluster, Options};
//!
//! let mut cluster = Cluster::start(Options { nodes: 3, ..Options::default() })?;
//! cluster.create_topic("orders", 4, &[("cleanup.policy", "compact")])?;
//! println!("bootstrap.servers={}", cluster.bootstrap());
//! cluster.kill(0)?; // as a machine that loses its power
//! cluster.start_node(0)?; // on the same data and port
//! # Ok::<(), millrace_broker::Error>(())
//! ```
//!
//! Tests begin with [`for_test`], which tells a machine without Java or Maven from a failure.

mod cluster;
mod error;
mod for_test;
mod jars;
mod java;
mod node;
mod policy;
mod ports;
mod secure;
mod settings;
#[cfg(test)]
mod tests;
mod wire;

pub use cluster::{Cluster, Options};
pub use error::{Error, Missing};
pub use for_test::for_test;
pub use java::available;
pub use secure::Secure;
pub use wire::Operation;

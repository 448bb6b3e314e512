//! The harness that the soak shares with the scenarios.

#[path = "../kafka/harness/lines.rs"]
pub mod lines;
#[path = "../kafka/harness/process.rs"]
pub mod process;
#[allow(dead_code)] // the scenarios ask for more
#[path = "../kafka/harness/records.rs"]
pub mod records;
#[path = "../kafka/harness/same.rs"]
pub mod same;
#[path = "../kafka/harness/sender.rs"]
pub mod sender;
#[path = "../kafka/harness/stores.rs"]
pub mod stores;
#[path = "../kafka/harness/wait.rs"]
pub mod wait;

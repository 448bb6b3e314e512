//! What commands do beside the instances of an app: topics and records by hand, committed offsets, deployments, orphaned
//! topics, resets.
//!
//! Uses [`state`](crate::state) for the folder of an instance, [`control`](crate::control),
//! [`cluster`](crate::cluster), [`client`](crate::client) and [`error`](crate::error); no instance uses it.

pub mod deployments;
pub mod gc;
pub mod offsets;
pub mod records;
pub mod reset;
pub mod topics;

//! The local state of an instance: its folder, how far it reflects the changelogs, how it is restored from them, and
//! the global tables in it.
//!
//! Uses [`control`](crate::control), [`cluster`](crate::cluster), [`client`](crate::client), [`tasks`](crate::tasks)
//! and [`error`](crate::error).

pub(crate) mod barrier;
mod context;
pub mod folder;
pub(crate) mod globals;
pub(crate) mod lease;
pub(crate) mod positions;
pub(crate) mod postponed;
pub(crate) mod restore;

pub(crate) use context::StateContext;

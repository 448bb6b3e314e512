//! WebAssembly plugins: compile, check, instantiate, limit, call.
//!
//! The way of a plugin: [`Runtime::load`] turns bytes into a checked [`Plugin`]; a [`PluginRegistry`] has those of the
//! process; each worker thread has its own [`GuestInstances`], which call them through
//! [`millrace_engine::logic::Logic`].
//!
//! A guest can't hurt anyone. It sees the records it is given and nothing else; time, memory, output and state are
//! limited for each record; whatever it answers is checked before it is used. A trap, a breach or a contradiction
//! costs its instance, and a fresh one takes over with the next call.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod abi;
mod arena;
mod cache;
mod check;
mod digest;
mod error;
mod fault;
mod guests;
mod host;
mod inspect;
mod instance;
mod limits;
mod plugin;
mod registry;
mod reply;
mod runtime;
mod slow;
mod ticker;

pub use abi::CONTRACT_VERSION;
pub use digest::digest_of;
pub use error::{LoadError, Refusal};
pub use guests::GuestInstances;
pub use limits::FUEL_PER_MILLISECOND;
pub use plugin::{Plugin, PluginSettings};
pub use registry::PluginRegistry;
pub use runtime::Runtime;

//! Write Millrace plugins in Rust: pure rules on records, as WebAssembly components.
//!
//! ```
//! use millrace_sdk::prelude::*;
//!
//! /// An order with the tier of its customer, where the customer is known.
//! #[join]
//! fn enrich(mut order: Doc, customer: Option<Doc>) -> Result<Doc> {
//!     let tier = customer.as_ref().map(|customer| customer.str("tier")).transpose()?;
//!     order.set("customerTier", tier.as_deref());
//!     Ok(order)
//! }
//!
//! plugin! { name: "enrich-orders", functions: [enrich] }
//! # fn main() {}
//! ```
//!
//! [`transform`], [`join`], [`aggregate`] and [`process`] mark the rules, [`plugin!`](plugin!) puts them together, and
//! [`testing`] runs them natively. The crate's README lists the arguments and results of rules.
//!
//! The adapter lies between host and rule: it reads arguments from the arena of the call, calls the rule record by
//! record, and collects outputs in the arena of the reply.

mod adapter;
mod aggregate;
#[doc(hidden)]
pub mod bindings;
mod config;
mod ctx;
mod doc;
mod error;
mod function;
mod host;
mod key;
mod missing;
mod output;
mod panic;
mod state;
mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod timers;
mod value;

// The macros use the crate's name, as its users do.
extern crate self as millrace_sdk;

pub use aggregate::Aggregate;
pub use config::Config;
pub use ctx::{Ctx, Headers, Level, Side, Window};
pub use doc::{Doc, ToJson};
pub use error::{Error, Kind, Result, codes};
pub use function::Plugin;
pub use key::{Key, KeyType};
pub use millrace_sdk_macros::{aggregate, join, on_timer, plugin, process, transform};
pub use output::{Output, Outputs, Port, Unchanged};
pub use schemars;
pub use serde;
pub use serde_json;
pub use state::{State, no_upgrade};
pub use store::{Entries, Store, StoreKey};
pub use timers::{Clock, Timer, Timers};
pub use value::{FromValue, IntoValue, Value, Written};

/// The names that a plugin needs: `use millrace_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Aggregate, Clock, Config, Ctx, Doc, Error, Key, Level, Output, Outputs, Result, State, Store, Timer, Timers,
        Unchanged, Window, aggregate, join, no_upgrade, on_timer, plugin, process, transform,
    };
}

/// For the code that the macros generate. Not a public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::adapter::{
        AggregateFunction, AggregateFunctions, JoinArgs, JoinFunction, ProcessArgs, ProcessFunction, ProcessFunctions,
        Run, TimerArgs, TimerFunction, TransformArgs, TransformFunction, Writer, aggregate, configure, describe, join,
        join_batch, on_timer, process, rewrite, stateful, store, transform, transform_batch,
    };
    pub use crate::bindings;
    pub use crate::bindings::aggregate::__export_aggregate;
    pub use crate::bindings::base::__export_meta;
    pub use crate::bindings::base::exports::millrace::plugin::meta::{Manifest, WriteVersion};
    pub use crate::bindings::base::millrace::plugin::types::{Message, Payload, Reply, Stored};
    pub use crate::bindings::join::__export_join;
    pub use crate::bindings::process::__export_process;
    pub use crate::bindings::rewrite::__export_rewrite;
    pub use crate::bindings::transform::__export_transform;
    pub use crate::config::{read, schema};
    pub use crate::function::{
        ConfigSpec, Entry, Function, KeyCodec, PortSpec, Role, Spec, StoreSpec, check_stores, store_index,
    };
    pub use millrace_sdk_macros::__collect;
}

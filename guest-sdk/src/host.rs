//! The functions of the host that a plugin may call. In a guest these are the imports of the contract; in a native
//! build they are those of the test bench.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::host::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use guest::*;

pub use crate::bindings::base::millrace::plugin::logging::Level;

#[cfg(target_arch = "wasm32")]
mod guest {
    use crate::bindings::base::millrace::plugin::{budget, logging, metrics};

    pub(crate) use budget::at;
    pub(crate) use logging::log;
    pub(crate) use metrics::count;

    pub(crate) mod state {
        pub(crate) use crate::bindings::process::millrace::plugin::state::{delete, get, prefix, put, range};
    }

    pub(crate) mod timers {
        pub(crate) use crate::bindings::process::millrace::plugin::timers::{cancel, set_after, set_at};
    }
}

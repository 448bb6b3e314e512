//! Guests that behave, and guests that don't. They are WebAssembly text with the canonical ABI written by hand, so that
//! they can do what no compiler would, and no toolchain is needed to build them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cache;
mod canonical;
mod deletions;
mod faults;
mod outcomes;
mod process;
mod refusals;
mod template;

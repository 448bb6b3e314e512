//! Guests that behave, and guests that don't. They are WebAssembly text with the canonical ABI written by hand,
//! so that they can do what no compiler would, and no toolchain is needed to build them. But where it matters what the
//! SDK makes of a call, it is a guest of `tests/guests`, built with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cache;
mod canonical;
mod deletions;
mod faults;
mod golden;
mod outcomes;
mod overruns;
mod process;
mod refusals;
mod rewriting;
mod sessions;
mod template;
mod timers;

//! What went wrong in a call, and whose doing it is.

use millrace_engine::ports::{CallError, Fault};
use wasmtime::{Error, Trap};

/// A host function's or limiter's refusal: thrown through the guest, caught in [`classify`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    /// The guest broke a rule.
    #[error("{text}")]
    Guest { fault: Fault, text: String },
    /// The host couldn't answer.
    #[error("{0}")]
    Host(String),
}

impl Breach {
    pub(crate) fn guest(fault: Fault, text: impl Into<String>) -> Error {
        Error::new(Self::Guest { fault, text: text.into() })
    }

    pub(crate) fn contract(text: impl Into<String>) -> Error {
        Self::guest(Fault::Contract, text)
    }
}

/// What is known of a call when it fails.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// Index of the record it worked on.
    pub at: Option<usize>,
    /// The last line it logged as an error while it worked on it: of a panic, its text.
    pub last_words: Option<String>,
    /// The deadline in words, with its setting.
    pub deadline: String,
    /// Whether its time was over, or is as good as over.
    pub overrun: bool,
}

/// Turns wasmtime's error into the engine's.
pub(crate) fn classify(error: &Error, scene: Scene) -> CallError {
    let Scene { at, last_words, deadline, overrun } = scene;
    let (fault, text) = match (error.downcast_ref::<Breach>(), error.downcast_ref::<Trap>()) {
        (Some(Breach::Host(text)), _) => return CallError::Host(text.clone()),
        (Some(Breach::Guest { fault, text }), _) => (*fault, text.clone()),
        (None, Some(Trap::Interrupt)) if overrun => return CallError::Overrun,
        (None, Some(Trap::Interrupt | Trap::OutOfFuel)) => (Fault::Deadline, format!("took longer than {deadline}")),
        (None, Some(Trap::UnreachableCodeReached)) => {
            (Fault::Trap, last_words.unwrap_or_else(|| "trapped: unreachable code, as after a panic".into()))
        }
        (None, Some(Trap::StackOverflow)) => (Fault::Trap, "trapped: stack overflow: its recursion is too deep".into()),
        (None, Some(trap)) => (Fault::Trap, format!("trapped: {trap}")),
        // What is left are values that can't be lowered or lifted: pointers outside the memory, lists too long, text
        // that isn't UTF-8, a variant that doesn't exist. Mostly it is the reply, which is about all records.
        (None, None) => {
            let text = format!("broke the contract: {}", chain(error));
            return CallError::Guest { fault: Fault::Contract, at: None, text };
        }
    };
    CallError::Guest { fault, at, text }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

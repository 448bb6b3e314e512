//! Why a call failed, and whether the guest or the host is at fault.

use millrace_engine::ports::{CallError, Fault};
use wasmtime::{Error, Trap};

/// The refusal of a host function or a limit. It traps the guest, and [`classify`] finds it in the trap.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    /// The guest broke a rule.
    #[error("{text}")]
    Guest { fault: Fault, text: String },
    /// The host has failed.
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

/// What the host knows about a call that has failed.
#[derive(Debug, Default)]
pub(crate) struct FailureContext {
    /// Index of the record that the guest worked on.
    pub at: Option<usize>,
    /// The last line that the guest logged as an error for this record: after a panic, its text.
    pub last_error: Option<String>,
    /// Text for the deadline, with its setting.
    pub deadline: String,
    /// Whether the call's time was over, or too short for a verdict.
    pub overrun: bool,
}

/// Turns wasmtime's error into the engine's.
pub(crate) fn classify(error: &Error, failure_context: FailureContext) -> CallError {
    let FailureContext { at, last_error, deadline, overrun } = failure_context;
    let (fault, text) = match (error.downcast_ref::<Breach>(), error.downcast_ref::<Trap>()) {
        (Some(Breach::Host(text)), _) => return CallError::Host(text.clone()),
        (Some(Breach::Guest { fault, text }), _) => (*fault, text.clone()),
        (None, Some(Trap::Interrupt)) if overrun => return CallError::Overrun,
        (None, Some(Trap::Interrupt | Trap::OutOfFuel)) => (Fault::Deadline, format!("took longer than {deadline}")),
        (None, Some(Trap::UnreachableCodeReached)) => {
            (Fault::Trap, last_error.unwrap_or_else(|| "trapped: unreachable code, as after a panic".into()))
        }
        (None, Some(Trap::StackOverflow)) => (Fault::Trap, "trapped: stack overflow: its recursion is too deep".into()),
        (None, Some(trap)) => (Fault::Trap, format!("trapped: {trap}")),
        // Other errors are values that can't be lowered or lifted: pointers outside the memory, lists that are too
        // long, text that isn't UTF-8, an unknown variant. Mostly they are in the reply, so no single record is at
        // fault.
        (None, None) => {
            let text = format!("broke the contract: {}", chain(error));
            return CallError::Guest { fault: Fault::Contract, at: None, text };
        }
    };
    CallError::Guest { fault, at, text }
}

/// The text of an error with its causes, in one line.
pub(crate) fn chain(error: &Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

//! Values that a guest has rewritten, checked.

use bytes::Bytes;
use millrace_engine::manifest::{FunctionManifest, Role};
use millrace_engine::ports::{CallError, Fault, Stored};
use millrace_engine::size::shown;
use millrace_engine::topology::GuestLimits;

use super::decode::slice;
use super::{Checked, Violation, blame, contract};
use crate::abi;
use crate::check::check_version;

/// The results of a rewrite of `count` values of a store: values, or the reasons why the guest can't rewrite them.
pub(crate) fn rewritten(
    reply: abi::Rewritten,
    count: usize,
    (function, store): (&FunctionManifest, usize),
    limits: &GuestLimits,
) -> Result<Vec<Result<Stored, String>>, CallError> {
    let abi::Rewritten { arena, values } = reply;
    if values.len() != count {
        let text = format!("gave {} results for {count} values", values.len());
        return Err(blame(Violation { fault: Fault::Contract, text }, None));
    }
    let arena = Bytes::from(arena);
    let one = |value| match value {
        Ok(value) => stored(&arena, value, (function, store), limits).map(Ok),
        Err(span) => reason(&arena, span, limits).map(Err),
    };
    let values = values.into_iter().enumerate();
    values.map(|(at, value)| one(value).map_err(|broken| blame(broken, Some(at)))).collect()
}

fn stored(
    arena: &Bytes,
    value: abi::Stored,
    (function, store): (&FunctionManifest, usize),
    limits: &GuestLimits,
) -> Checked<Stored> {
    if let Err(text) = check_version(function.stores.get(store), value.version) {
        return contract(text);
    }
    let bytes = slice(arena, value.bytes)?;
    match function.role {
        // What the function could have written itself.
        Role::Process if bytes.len() > limits.state_bytes => {
            let text = format!("wrote a value of more than {} (limits.state-bytes)", shown(limits.state_bytes));
            Err(Violation { fault: Fault::State, text })
        }
        Role::Process => Ok(Stored { version: value.version, bytes }),
        _ => within_output(bytes, limits).map(|bytes| Stored { version: value.version, bytes }),
    }
}

fn reason(arena: &Bytes, span: abi::Span, limits: &GuestLimits) -> Checked<String> {
    let bytes = within_output(slice(arena, span)?, limits)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => contract("the reason why a value can't be rewritten isn't UTF-8"),
    }
}

fn within_output(bytes: Bytes, limits: &GuestLimits) -> Checked<Bytes> {
    if bytes.len() <= limits.output_bytes {
        return Ok(bytes);
    }
    let text = format!("put out more than {} for one value (limits.output-bytes)", shown(limits.output_bytes));
    Err(Violation { fault: Fault::Output, text })
}

//! Guest calls that always end in outcomes: a batch that breaks a rule is split until the record that broke it is
//! alone, and the other records are processed without it.
//!
//! Guests are pure and calls touch no state, so repeating a part of a batch has no side effects: nothing has to be
//! rolled back.

use crate::manifest::FunctionManifest;
use crate::ports::{Attempt, CallError, Called, Failure, FailureClass, Message, Outcome};
use crate::record::length;

/// Most bytes of messages in one call, so that a batch fits into a guest's memory.
pub(crate) const MAX_CALL_BYTES: usize = 1 << 20;

/// Bytes of a header in a call beside its name and value: their spans.
const HEADER_OVERHEAD: usize = 20;

/// Bytes of a message in a call of this function, with headers only if the function wants them.
pub(crate) fn bytes_of(message: &Message<'_>, function: &FunctionManifest) -> usize {
    let headers = if function.wants_headers { message.headers } else { &[] };
    let headers =
        headers.iter().map(|header| header.name.len() + length(&header.value) + HEADER_OVERHEAD).sum::<usize>();
    headers + message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len)
}

/// Calls `call` for all items, in pieces of at most `batch` items and [`MAX_CALL_BYTES`], and returns an outcome for
/// each.
///
/// Errors are the host's only: a guest's fault becomes the failure of its record.
pub(crate) fn outcomes<T>(
    items: &[T],
    batch: usize,
    size: impl Fn(&T) -> usize,
    mut call: impl FnMut(&[T], Attempt) -> Result<Called<Vec<Outcome>>, CallError>,
) -> Result<Called<Vec<Outcome>>, CallError> {
    let mut all = Called { result: Vec::with_capacity(items.len()), effects: Vec::new() };
    let mut rest = items;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(piece(rest, batch, &size));
        call_until_verdict(piece, &mut call, &mut all)?;
        rest = after;
    }
    Ok(all)
}

/// Number of items in the next call: at least one.
pub(crate) fn piece<T>(items: &[T], batch: usize, size: &impl Fn(&T) -> usize) -> usize {
    let mut bytes = 0;
    let fits = items.iter().take(batch).take_while(|item| {
        bytes += size(item);
        bytes <= MAX_CALL_BYTES
    });
    fits.count().max(1)
}

fn call_until_verdict<T>(
    items: &[T],
    call: &mut impl FnMut(&[T], Attempt) -> Result<Called<Vec<Outcome>>, CallError>,
    all: &mut Called<Vec<Outcome>>,
) -> Result<(), CallError> {
    let mut rest = items;
    while !rest.is_empty() {
        let at = match call(rest, Attempt::Batch) {
            Ok(called) => {
                keep(called, all);
                return Ok(());
            }
            Err(CallError::Guest { .. }) if rest.len() == 1 => return verdict(rest, call, all),
            Err(CallError::Guest { at, .. }) => suspect(at, rest.len()),
            Err(host) => return Err(host),
        };
        let (before, from) = rest.split_at(at);
        let (culprit, after) = from.split_at(1);
        call_until_verdict(before, call, all)?;
        call_until_verdict(culprit, call, all)?;
        rest = after;
    }
    Ok(())
}

/// Where to split a batch: at the record that the guest was processing, or in the middle if that isn't known. Whatever
/// the guest reports, each part is shorter than the batch.
pub(crate) fn suspect(at: Option<usize>, length: usize) -> usize {
    at.filter(|at| *at < length).unwrap_or(length / 2)
}

fn verdict<T>(
    item: &[T],
    call: &mut impl FnMut(&[T], Attempt) -> Result<Called<Vec<Outcome>>, CallError>,
    all: &mut Called<Vec<Outcome>>,
) -> Result<(), CallError> {
    match call(item, Attempt::Verdict) {
        Ok(called) => keep(called, all),
        Err(error) => all.result.push(Outcome::Fail(fault(error)?)),
    }
    Ok(())
}

fn keep(called: Called<Vec<Outcome>>, all: &mut Called<Vec<Outcome>>) {
    all.result.extend(called.result);
    all.effects.extend(called.effects);
}

/// Turns a guest's fault into the failure of its record, and returns the host's errors.
pub(crate) fn fault(error: CallError) -> Result<Failure, CallError> {
    match error {
        CallError::Guest { fault, text, .. } => {
            Ok(Failure { class: FailureClass::Permanent, code: fault.code().to_owned(), text })
        }
        other @ (CallError::Host(_) | CallError::Overrun) => Err(other),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::Header;
    use crate::testing::manifest;

    /// Numbers of messages in the calls for five messages with many headers.
    fn calls_of(function: &str) -> Vec<usize> {
        let functions = manifest(&format!("p: transform t {function}")).functions;
        let headers = vec![Header::new("", ""); MAX_CALL_BYTES / HEADER_OVERHEAD / 3];
        let message = Message { input: "in", key: None, value: None, timestamp: 0, headers: &headers, window: None };
        let mut calls = Vec::new();
        let size = |message: &Message<'_>| bytes_of(message, functions.first().unwrap());
        let called = outcomes(&[message; 5], 100, size, |messages, _| {
            calls.push(messages.len());
            let result = messages.iter().map(|_| Outcome::Skip(String::new())).collect();
            Ok(Called { result, effects: Vec::new() })
        });
        assert_eq!(called.unwrap().result.len(), 5);
        calls
    }

    #[test]
    fn headers_count_only_in_calls_of_functions_that_want_them() {
        assert_eq!(calls_of("headers"), [3, 2]);
        assert_eq!(calls_of(""), [5]);
    }
}

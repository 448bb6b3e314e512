//! Replies of guests, checked against the contract and the limits.

mod decode;
mod rewrite;

use millrace_engine::manifest::FunctionManifest;
use millrace_engine::ports::{CallError, Fault, Group, Grouped, Outcome, Stored};
use millrace_engine::topology::GuestLimits;

use crate::abi;
use decode::Decoder;
pub(crate) use rewrite::rewritten;

/// The rules for a reply.
#[derive(Clone, Copy)]
pub(crate) struct ReplyRules<'a> {
    pub function: &'a FunctionManifest,
    pub limits: &'a GuestLimits,
    /// Whether outputs may inherit the value of the input.
    pub inherits_value: bool,
    /// Whether there may be outputs at all.
    pub outputs: bool,
    /// The key of each record.
    pub key: &'a dyn Fn(usize) -> Option<&'a [u8]>,
}

/// The violation of a rule.
struct Violation {
    fault: Fault,
    text: String,
}

type Checked<T> = Result<T, Violation>;
type Outputs = std::vec::IntoIter<abi::Output>;

fn contract<T>(text: impl Into<String>) -> Checked<T> {
    Err(Violation { fault: Fault::Contract, text: text.into() })
}

/// The outcomes of a call over `records` records.
pub(crate) fn outcomes(reply: abi::Reply, records: usize, rules: ReplyRules<'_>) -> Result<Vec<Outcome>, CallError> {
    let (outcomes, outputs) = (reply.outcomes, reply.outputs);
    let decoder = Decoder { arena: reply.arena.into(), headers: reply.headers, rules };
    decoder.outcomes(&outcomes, outputs, records)
}

/// The results of an aggregate call over these groups.
pub(crate) fn grouped(
    reply: abi::Aggregated,
    asked: &[Group<'_>],
    rules: ReplyRules<'_>,
) -> Result<Vec<Grouped>, CallError> {
    let abi::Aggregated { reply, groups, deleted } = reply;
    let decoder = Decoder { arena: reply.arena.into(), headers: reply.headers, rules };
    if groups.len() != asked.len() {
        let text = format!("gave {} results for {} groups", groups.len(), asked.len());
        return Err(blame(Violation { fault: Fault::Contract, text }, None));
    }
    let records = asked.iter().map(|group| group.entries.len()).sum();
    let outcomes = decoder.outcomes(&reply.outcomes, reply.outputs, records)?;
    let deleted = deletions(&deleted, outcomes.len()).map_err(|broken| blame(broken, None))?;
    let (mut outcomes, mut deleted) = (outcomes.into_iter(), deleted.into_iter().peekable());
    let mut first = 0;
    let groups = groups.iter().zip(asked).map(|(group, asked)| {
        let (start, end) = (first, first + asked.entries.len());
        first = end;
        let outcomes = outcomes.by_ref().take(end - start).collect();
        let deleted = std::iter::from_fn(|| deleted.next_if(|index| *index < end));
        let deleted = deleted.map(|index| index - start).collect();
        let grouped = decoder
            .group((group, asked.state.as_ref()), outcomes, deleted)
            .and_then(|grouped| unchanged(asked, grouped));
        grouped.map_err(|broken| blame(broken, (end > start).then_some(start)))
    });
    groups.collect()
}

/// A group that asks for the value of its state only must not change the state.
fn unchanged(asked: &Group<'_>, grouped: Grouped) -> Checked<Grouped> {
    let only_asks = asked.entries.is_empty() && asked.absorbed.is_empty();
    if only_asks && asked.state != grouped.state {
        return contract("changed a state although only its value was asked for");
    }
    Ok(grouped)
}

/// Checks the indexes of the records, over all groups, after which a state was deleted.
fn deletions(deleted: &[u32], records: usize) -> Checked<Vec<usize>> {
    let indexes: Vec<usize> = deleted.iter().map(|index| *index as usize).collect();
    if !indexes.is_sorted_by(|one, next| one < next) {
        return contract("deleted states in an order other than that of the records");
    }
    match indexes.last() {
        Some(last) if *last >= records => contract(format!("deleted a state after record {last} of {records}")),
        _ => Ok(indexes),
    }
}

/// Only a processed record can delete a state, and there is no state in the end if the last processed record deleted
/// it.
fn check_deletions(state: Option<&Stored>, outcomes: &[Outcome], deleted: &[usize]) -> Checked<()> {
    let processed = |index: usize| matches!(outcomes.get(index), Some(Outcome::Outputs(_)));
    if deleted.iter().any(|index| !processed(*index)) {
        return contract("deleted a state after a record that wasn't processed");
    }
    match (0..outcomes.len()).rfind(|index| processed(*index)) {
        Some(last) if state.is_none() != (deleted.last() == Some(&last)) => {
            contract("gave a state that contradicts the record after which it says the state was deleted")
        }
        _ => Ok(()),
    }
}

fn blame(broken: Violation, at: Option<usize>) -> CallError {
    CallError::Guest { fault: broken.fault, at, text: broken.text }
}

//! Aggregate without windows: a state for each key.
//!
//! The records of a run are grouped by key, and each group goes to the guest once, with its state: a guest decodes and
//! encodes a state once for many records.

use bytes::Bytes;
use hashbrown::HashMap;

use crate::calls::{self, MAX_CALL_BYTES};
use crate::ports::{
    Attempt, BackendError, CallError, Called, Change, Effect, FunctionId, Group, Grouped, Logic, Message, Mode,
    Outcome, StoreId, Stored,
};
use crate::record::Timestamp;
use crate::state::keys::{decode_aggregate, encode_aggregate};
use crate::task::{Item, Parent, Record, Step, TaskError};
use crate::topology::Call;

/// The items of one key, with the state they go to.
struct Work {
    key: Bytes,
    timestamp: Timestamp,
    state: Option<Stored>,
    /// Numbers of the items.
    items: Vec<usize>,
}

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    store: StoreId,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let items = usable(step, items);
    let works = group(step, &items, store)?;
    let function = step.function(call)?;
    let mut guest = Guest { logic, function, effects: Vec::new() };
    let mut outcomes: Vec<Option<(Outcome, Timestamp)>> = vec![None; items.len()];
    for batch in batches(&works, &items, step.options.batch) {
        let groups: Vec<Group<'_>> = batch.iter().map(|work| to_group(step, work, &items)).collect();
        let results = guest.groups(&groups).map_err(|error| step.host_error(error))?;
        for (work, result) in batch.iter().zip(results) {
            store_result(step, store, work, result, &items, &mut outcomes);
        }
    }
    step.effects(guest.effects);
    for (item, outcome) in items.iter().zip(outcomes) {
        if let Some((outcome, timestamp)) = outcome {
            let record = Record { value: None, timestamp, ..item.record.clone() };
            step.settle(&Parent { path: &item.path, record: &record }, outcome, call)?;
        }
    }
    Ok(())
}

/// Without a key or a value there is nothing to aggregate (Kafka Streams, unwindowed aggregates).
fn usable(step: &mut Step<'_>, items: Vec<Item>) -> Vec<Item> {
    let mut good = Vec::with_capacity(items.len());
    for item in items {
        if item.record.key.is_none() {
            let text = "an aggregate needs a key, and the record has none";
            step.leave_out(&item.path, "null-key", text, step.node.on_null_key);
        } else if item.record.value.is_none() {
            step.leave_out(&item.path, "null-value", "an aggregate has no use for a null value", Default::default());
        } else {
            good.push(item);
        }
    }
    good
}

fn group(step: &Step<'_>, items: &[Item], store: StoreId) -> Result<Vec<Work>, TaskError> {
    let mut works: Vec<Work> = Vec::new();
    let mut places: HashMap<&Bytes, usize> = HashMap::new();
    for (number, item) in items.iter().enumerate() {
        let Some(key) = &item.record.key else { continue };
        let place = *places.entry(key).or_insert(works.len());
        if place == works.len() {
            let (timestamp, state) = load(step, store, key)?;
            works.push(Work { key: key.clone(), timestamp, state, items: Vec::new() });
        }
        if let Some(work) = works.get_mut(place) {
            work.items.push(number);
        }
    }
    Ok(works)
}

fn load(step: &Step<'_>, store: StoreId, key: &[u8]) -> Result<(Timestamp, Option<Stored>), TaskError> {
    let Some(bytes) = step.state.get(store, key)? else { return Ok((Timestamp::MIN, None)) };
    let (timestamp, stored) = decode_aggregate(&bytes).ok_or_else(|| BackendError {
        store: step.node.name.clone(),
        reason: "a state is shorter than its header".into(),
    })?;
    Ok((timestamp, Some(stored)))
}

/// Groups that go into one call: bounded in records and in bytes, but always one.
fn batches<'w>(works: &'w [Work], items: &[Item], batch: usize) -> Vec<&'w [Work]> {
    let size = |work: &Work| {
        let records = work.items.iter().filter_map(|number| items.get(*number));
        let state = work.state.as_ref().map_or(0, |state| state.bytes.len());
        (work.items.len(), state + records.map(|item| item.record.size()).sum::<usize>())
    };
    let (mut all, mut rest) = (Vec::new(), works);
    while !rest.is_empty() {
        let (mut records, mut bytes) = (0, 0);
        let fits = rest.iter().take_while(|work| {
            let (more, larger) = size(work);
            (records, bytes) = (records + more, bytes + larger);
            records <= batch && bytes <= MAX_CALL_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        all.push(now);
        rest = later;
    }
    all
}

fn to_group<'i>(step: &Step<'i>, work: &'i Work, items: &'i [Item]) -> Group<'i> {
    let items = work.items.iter().filter_map(|number| items.get(*number));
    let entries = items.map(|item| (Change::Add, item.record.message(step.name_of(item.from)))).collect();
    Group { key: &work.key, window: None, state: work.state.clone(), entries }
}

/// Keeps the new state, and the outcomes with their times: the highest that has gone into the state. A state that was
/// deleted takes its time with it, be that in the middle of a group or at its end.
fn store_result(
    step: &mut Step<'_>,
    store: StoreId,
    work: &Work,
    result: Grouped,
    items: &[Item],
    outcomes: &mut [Option<(Outcome, Timestamp)>],
) {
    let (mut timestamp, mut changed) = (work.timestamp, false);
    let mut deleted = result.deleted_after.into_iter().peekable();
    for (index, (number, outcome)) in work.items.iter().zip(result.outcomes).enumerate() {
        if matches!(outcome, Outcome::Outputs(_)) {
            timestamp = items.get(*number).map_or(timestamp, |item| timestamp.max(item.record.timestamp));
            changed = true;
        }
        if let Some(place) = outcomes.get_mut(*number) {
            *place = Some((outcome, timestamp));
        }
        if deleted.next_if_eq(&index).is_some() {
            timestamp = Timestamp::MIN;
        }
    }
    if changed {
        let bytes = result.state.map(|state| encode_aggregate(timestamp, &state));
        step.state.put(store, work.key.clone(), bytes);
    }
}

/// Calls of the aggregate function that always come to a verdict, record by record where they must.
struct Guest<'l> {
    logic: &'l mut dyn Logic,
    function: FunctionId,
    effects: Vec<Effect>,
}

impl Guest<'_> {
    /// One result a group.
    fn groups(&mut self, groups: &[Group<'_>]) -> Result<Vec<Grouped>, CallError> {
        match self.call(groups, Attempt::Batch) {
            Err(CallError::Guest { .. }) => {}
            other => return other,
        }
        match groups {
            [one] => Ok(vec![self.entries(one)?]),
            many => {
                let (first, second) = many.split_at(many.len() / 2);
                let mut results = self.groups(first)?;
                results.extend(self.groups(second)?);
                Ok(results)
            }
        }
    }

    /// A group that broke a rule: its records one after another, the state going from each to the next.
    fn entries(&mut self, group: &Group<'_>) -> Result<Grouped, CallError> {
        let (outcomes, deleted_after) = (Vec::with_capacity(group.entries.len()), Vec::new());
        let mut all = Grouped { state: group.state.clone(), value: None, outcomes, deleted_after };
        let mut rest = group.entries.as_slice();
        while !rest.is_empty() {
            let at = match self.part(group, rest, &all.state, Attempt::Batch) {
                Ok(done) => {
                    all.append(done);
                    return Ok(all);
                }
                Err(CallError::Guest { .. }) if rest.len() == 1 => {
                    self.alone(group, rest, &mut all)?;
                    break;
                }
                Err(CallError::Guest { at, .. }) => calls::suspect(at, rest.len()),
                Err(host) => return Err(host),
            };
            let (before, from) = rest.split_at(at);
            let (culprit, after) = from.split_at(1);
            for part in before.chunks(1).chain([culprit]) {
                self.alone(group, part, &mut all)?;
            }
            rest = after;
        }
        Ok(all)
    }

    /// One record: in a batch of its own, then by verdict.
    fn alone(
        &mut self,
        group: &Group<'_>,
        entry: &[(Change, Message<'_>)],
        all: &mut Grouped,
    ) -> Result<(), CallError> {
        let done = match self.part(group, entry, &all.state, Attempt::Batch) {
            Err(CallError::Guest { .. }) => self.part(group, entry, &all.state, Attempt::Verdict),
            other => other,
        };
        match done {
            Ok(done) => all.append(done),
            Err(error) => all.outcomes.push(Outcome::Fail(calls::fault(error)?)),
        }
        Ok(())
    }

    fn part(
        &mut self,
        group: &Group<'_>,
        entries: &[(Change, Message<'_>)],
        state: &Option<Stored>,
        attempt: Attempt,
    ) -> Result<Grouped, CallError> {
        let part = Group { key: group.key, window: group.window, state: state.clone(), entries: entries.to_vec() };
        let mut results = self.call(&[part], attempt)?;
        results.pop().ok_or_else(|| CallError::Host("a call with one group gave no result".into()))
    }

    fn call(&mut self, groups: &[Group<'_>], attempt: Attempt) -> Result<Vec<Grouped>, CallError> {
        let Called { result, effects } = self.logic.aggregate(self.function, groups, Mode::Each, attempt)?;
        self.effects.extend(effects);
        Ok(result)
    }
}

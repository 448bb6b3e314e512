//! Aggregates that delete states in the middle of groups.

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{Attempt, CallError, Change, Fault, Group, Grouped, Mode};

use crate::faults::expect;
use crate::template::{FIRST, Guest, limits, message};

/// Deletes the state after the record at hand.
const DELETES: &str = "
    (i32.store (i32.add (i32.const 0xa000) (i32.mul (global.get $deleted-len) (i32.const 4))) (local.get $i))
    (global.set $deleted-len (i32.add (global.get $deleted-len) (i32.const 1)))
    (i32.store8 (i32.const 0x9000) (i32.const 0))";

/// Says that states were deleted after these records, and does nothing to the state itself.
fn claims(indexes: &[u32]) -> String {
    let stores = indexes.iter().enumerate().map(|(place, index)| {
        let address = 0xa000 + 4 * place;
        format!("(i32.store (i32.const {address}) (i32.const {index}))")
    });
    format!("{}(global.set $deleted-len (i32.const {}))", stores.collect::<String>(), indexes.len())
}

/// Calls an aggregate that misbehaves for values that begin with `!`, with groups of these values.
fn call(misbehave: &str, groups: &[&[&'static str]], mode: Mode, attempt: Attempt) -> Result<Vec<Grouped>, CallError> {
    let guest = Guest { misbehave: misbehave.into(), ..Guest::good(&[Role::Aggregate]) };
    let groups: Vec<Group<'_>> = groups
        .iter()
        .map(|values| {
            let entries = values.iter().map(|value| (Change::Add, message(value))).collect();
            Group { key: b"key", window: None, state: None, absorbed: Vec::new(), entries }
        })
        .collect();
    guest.deploy(limits()).aggregate(FIRST, &groups, mode, attempt).map(|called| called.result)
}

/// The state that is left of each group, and where it was deleted.
fn left(groups: &[&[&'static str]], mode: Mode, attempt: Attempt) -> Vec<(Option<Bytes>, Vec<usize>)> {
    let results = call(DELETES, groups, mode, attempt).unwrap();
    results.into_iter().map(|group| (group.state.map(|state| state.bytes), group.deleted_after)).collect()
}

#[test]
fn a_reply_says_for_each_group_after_which_records_the_state_was_deleted() {
    for attempt in [Attempt::Batch, Attempt::Verdict] {
        for mode in [Mode::Each, Mode::Last] {
            let four = left(&[&["!one", "two", "!three", "four"]], mode, attempt);
            assert_eq!(four, [(Some(Bytes::from_static(b"four")), vec![0, 2])]);
            assert_eq!(left(&[&["one", "!two"]], mode, attempt), [(None, vec![1])]);
        }
        let groups = left(&[&["one", "!two"], &["!three", "four", "!five"]], Mode::Each, attempt);
        assert_eq!(groups, [(None, vec![1]), (None, vec![0, 2])]);
    }
}

#[track_caller]
fn check(misbehave: &str, values: &[&'static str], at: Option<usize>, words: &str) {
    for mode in [Mode::Each, Mode::Last] {
        expect(call(misbehave, &[values], mode, Attempt::Batch), Fault::Contract, at, words);
    }
}

#[test]
fn a_deletion_out_of_order_or_of_no_record_breaks_the_contract() {
    let values = ["good", "!bad", "good"];
    let order = "deleted states in an order other than that of the records";
    check(&claims(&[1, 0]), &values, None, order);
    check(&claims(&[1, 1]), &values, None, order);
    check(&claims(&[1, 3]), &values, None, "deleted a state after record 3 of 3");
    check(&claims(&[u32::MAX]), &values, None, "deleted a state after record 4294967295 of 3");
    let outside = "(global.set $deleted-len (i32.const 0x7fffffff))";
    check(outside, &values, None, "broke the contract");
}

#[test]
fn a_state_that_contradicts_its_deletions_breaks_the_contract() {
    let words = "gave a state that contradicts the record after which it says the state was deleted";
    check(&claims(&[2]), &["good", "!bad", "good"], Some(0), words);
    check("(i32.store8 (i32.const 0x9000) (i32.const 0))", &["good", "!bad"], Some(0), words);
}

#[test]
fn a_deletion_by_a_record_that_was_not_processed_breaks_the_contract() {
    // The code of the skip is the value without its first byte.
    let skips = "
        (i32.store8 (call $outcome (local.get $i)) (i32.const 1))
        (i32.store offset=4 (call $outcome (local.get $i))
            (i32.add (i32.load offset=24 (global.get $arg)) (i32.const 1)))
        (i32.store offset=8 (call $outcome (local.get $i)) (i32.const 3))
        (global.set $outputs-len (i32.sub (global.get $outputs-len) (i32.const 1)))";
    let call = |body: &str| call(body, &[&["good", "!bad"]], Mode::Each, Attempt::Batch);
    assert!(call(skips).is_ok());
    let words = "deleted a state after a record that wasn't processed";
    expect(call(&format!("{skips}{}", claims(&[1]))), Fault::Contract, Some(0), words);
}

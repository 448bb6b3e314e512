//! Values of stores that a guest rewrites in the version that it writes.

use std::time::Duration;

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{
    Attempt, CallError, Change, DeploymentId, Fault, FunctionId, Group, Message, Mode, Outcome, Stored,
};
use millrace_engine::topology::GuestLimits;
use millrace_plugin::{GuestInstances, PluginSettings};

use crate::faults::expect;
use crate::golden::load;
use crate::template::{FIRST, Guest, limits};

fn stored(version: u32, bytes: &'static str) -> Stored {
    Stored { version, bytes: Bytes::from_static(bytes.as_bytes()) }
}

fn function(function: u32) -> FunctionId {
    FunctionId { deployment: DeploymentId(0), function }
}

/// A compiled guest that writes these versions to its stores.
fn built(file: &str, writes: &[(&str, u32)], limits: GuestLimits) -> GuestInstances {
    let writes = writes.iter().map(|(store, version)| ((*store).to_owned(), *version)).collect();
    let settings = PluginSettings { writes, ..PluginSettings::new("{}", limits) };
    GuestInstances::of([(DeploymentId(0), load(file, &settings))])
}

fn rewritten(guests: &mut GuestInstances, id: FunctionId, values: &[Stored]) -> Vec<Result<Stored, String>> {
    guests.rewrite(id, 0, values, Attempt::Batch).unwrap().result
}

/// The state of a key that a function with version 2 of it gives back for these values of records, with their outcomes.
fn counted(state: Stored, values: &[&str]) -> (Option<Stored>, Vec<Outcome>) {
    let mut guests = built("swap_next.wasm", &[("count/count", 2)], GuestLimits::default());
    let message = |value| Message { input: "in", key: Some(b"k"), value, timestamp: 7, headers: &[], window: None };
    let entries = values.iter().map(|value| (Change::Add, message(Some(value.as_bytes())))).collect();
    let group = Group { key: b"k", window: None, state: Some(state), absorbed: Vec::new(), entries };
    let mut called = guests.aggregate(function(1), &[group], Mode::Last, Attempt::Batch).unwrap();
    let grouped = called.result.remove(0);
    (grouped.state, grouped.outcomes)
}

#[test]
fn a_state_of_an_older_version_stays_where_no_record_changes_it() {
    let old = stored(1, r#"{"records":3,"amount":9}"#);
    assert_eq!(counted(old.clone(), &[]), (Some(old.clone()), vec![]), "only its value is asked for");
    let (_, outcomes) = counted(old.clone(), &[r#"{"amount":"text"}"#]);
    assert!(matches!(&outcomes[..], [Outcome::Fail(failure)] if failure.code == "bad-value"), "{outcomes:?}");
    let unreadable = stored(1, "no state");
    let (state, outcomes) = counted(unreadable.clone(), &[r#"{"amount":1}"#]);
    assert!(
        matches!(&outcomes[..], [Outcome::Fail(failure)] if failure.text.contains("expected ident")),
        "{outcomes:?}"
    );
    assert_eq!(state, Some(unreadable));
    let (state, _) = counted(old, &[r#"{"amount":1}"#]);
    assert_eq!(state, Some(stored(2, r#"{"number":4,"sum":10}"#)));
}

#[test]
fn values_of_older_versions_are_rewritten_in_the_newest() {
    let mut guests = built("swap_next.wasm", &[], GuestLimits::default());
    let process = rewritten(&mut guests, function(0), &[stored(1, r#"{"amount":5}"#), stored(1, r#"{"amount":-7}"#)]);
    assert_eq!(process, [Ok(stored(2, r#"{"last_amount":5}"#)), Ok(stored(2, r#"{"last_amount":-7}"#))]);
    let aggregate = rewritten(&mut guests, function(1), &[stored(1, r#"{"records":2,"amount":9}"#)]);
    assert_eq!(aggregate, [Ok(stored(2, r#"{"number":2,"sum":9}"#))]);
}

#[test]
fn each_store_gets_the_version_that_the_instance_was_told_to_write() {
    let mut guests = built("swap_next.wasm", &[("changed/last", 1)], GuestLimits::default());
    let values = [stored(2, r#"{"last_amount":5}"#), stored(1, r#"{"amount":6}"#)];
    let expected = [Ok(stored(1, r#"{"amount":5}"#)), Ok(stored(1, r#"{"amount":6}"#))];
    assert_eq!(rewritten(&mut guests, function(0), &values), expected);
    let newest = rewritten(&mut guests, function(1), &[stored(1, r#"{"records":2,"amount":9}"#)]);
    assert_eq!(newest, [Ok(stored(2, r#"{"number":2,"sum":9}"#))]);
}

#[test]
fn a_damaged_value_has_the_reason_and_its_neighbours_are_rewritten() {
    let mut guests = built("swap_next.wasm", &[], GuestLimits::default());
    let good = stored(1, r#"{"amount":5}"#);
    let values = [good.clone(), stored(1, r#"{"amount":"five"}"#), stored(2, "broken"), stored(1, ""), good];
    let expected = [
        Ok(stored(2, r#"{"last_amount":5}"#)),
        Err(r#"invalid type: string "five", expected i64 at line 1 column 16"#.into()),
        Err("state: expected value at line 1 column 1".into()),
        Err("EOF while parsing a value at line 1 column 0".into()),
        Ok(stored(2, r#"{"last_amount":5}"#)),
    ];
    assert_eq!(rewritten(&mut guests, function(0), &values), expected);
}

#[test]
fn a_rewrite_of_no_values_calls_no_guest() {
    let mut guests = Guest { misbehave: "unreachable".into(), ..Guest::good(&[Role::Process]) }.deploy(limits());
    assert_eq!(rewritten(&mut guests, FIRST, &[]), []);
}

#[test]
fn a_store_that_the_function_does_not_have_is_an_error_of_the_host() {
    let mut guests = built("swap_next.wasm", &[], GuestLimits::default());
    for (index, store) in [(0, 1), (2, 0), (9, 0)] {
        let called = guests.rewrite(function(index), store, &[stored(1, "{}")], Attempt::Batch);
        let words = format!("plugin `swap` has no function {index} with a store {store}");
        assert!(matches!(&called, Err(CallError::Host(text)) if *text == words), "{called:?}");
    }
}

/// Rewrites a bad value between good ones, and then good ones alone.
fn check(guests: &mut GuestInstances, id: FunctionId, bad: &'static str, fault: Fault, at: Option<usize>, words: &str) {
    let (good, bad) = (stored(1, "good"), stored(1, bad));
    let called = guests.rewrite(id, 0, &[good.clone(), bad.clone(), good.clone()], Attempt::Batch);
    expect(called, fault, at, words);
    expect(guests.rewrite(id, 0, &[bad], Attempt::Batch), fault, Some(0), words);
    let after = rewritten(guests, id, &[good.clone(), good]);
    assert_eq!(after.iter().filter(|value| value.is_ok()).count(), 2, "{after:?}");
}

#[test]
fn code_that_does_harm_when_it_reads_an_old_value_costs_its_call_only() {
    let limits = GuestLimits { deadline: Duration::from_millis(300), memory: 8 << 20, ..GuestLimits::default() };
    for (harm, fault, words) in [
        ("panic", Fault::Trap, "a record asked for it"),
        ("loop", Fault::Deadline, "took longer than 300ms (limits.deadline)"),
        ("memory", Fault::Memory, "more memory than 8MiB (limits.memory)"),
    ] {
        check(&mut built("hostile.wasm", &[], limits), function(1), harm, fault, Some(1), words);
    }
}

#[test]
fn a_rewrite_ends_when_the_time_of_its_calls_is_over() {
    let mut guests = built("hostile.wasm", &[], limits_of_compiled());
    guests.limit_time(Some(Duration::from_millis(50)));
    let called = guests.rewrite(function(1), 0, &[stored(1, "loop")], Attempt::Batch);
    assert!(matches!(called, Err(CallError::Overrun)), "{called:?}");
    guests.limit_time(None);
    assert_eq!(rewritten(&mut guests, function(1), &[stored(1, "good")]), [Ok(stored(2, r#"{"asked":"good"}"#))]);
}

fn limits_of_compiled() -> GuestLimits {
    GuestLimits { memory: 8 << 20, ..limits() }
}

#[test]
fn a_rewrite_that_breaks_the_contract_is_a_fault_with_its_reason() {
    let result = "(call $rewritten (local.get $i))";
    let reason = |start: &str, length: &str| {
        format!(
            "(i32.store8 {result} (i32.const 1)) (i32.store offset=4 {result} (i32.const {start}))
             (i32.store offset=8 {result} (i32.const {length}))"
        )
    };
    let cases = [
        (format!("(i32.store offset=8 {result} (i32.const 0x7fffffff))"), Some(1), "span 2147483647 + "),
        (format!("(i32.store offset=12 {result} (i32.const -1))"), Some(1), "leaves its arena of "),
        (reason("-1", "1"), Some(1), "leaves its arena of "),
        (
            format!("(i32.store8 (global.get $arena) (i32.const 0xff)) {}", reason("0", "1")),
            Some(1),
            "the reason why a value can't be rewritten isn't UTF-8",
        ),
        (format!("(i32.store offset=4 {result} (i32.const 2))"), Some(1), "wrote state version 2, and was to write 1"),
        ("(global.set $values-len (i32.const 0))".into(), None, "gave 0 results for "),
        ("(global.set $values-len (i32.const 100))".into(), None, "gave 100 results for "),
        (format!("(i32.store8 {result} (i32.const 7))"), None, "discriminant"),
        ("(call $at (i32.const 1000))".into(), Some(1), "is at record 1000 of a call with"),
        ("(loop $l (call $at (local.get $i)) (br $l))".into(), Some(1), "after record"),
    ];
    for (misbehave, at, words) in cases {
        for role in [Role::Aggregate, Role::Process] {
            let guest = Guest { misbehave: misbehave.clone(), ..Guest::good(&[role]) };
            check(&mut guest.deploy(limits()), FIRST, "!bad", Fault::Contract, at, words);
        }
    }
}

#[test]
fn a_rewrite_has_neither_stores_nor_timers() {
    let one_byte = "(i32.const 0) (i32.const 0) (i32.const 1)";
    for (call, words) in [
        (format!("(call $get {one_byte} (i32.const 0x7000))"), "state belongs to process functions"),
        (format!("(call $put {one_byte} (i32.const 1) (i32.const 0) (i32.const 1))"), "state belongs to"),
        (format!("(call $delete {one_byte})"), "state belongs to"),
        ("(call $set-at (i32.const 0) (i32.const 1) (i64.const 1) (i32.const 0))".into(), "timers belong to"),
        ("(call $cancel (i32.const 0) (i32.const 1) (i32.const 0))".into(), "timers belong to"),
    ] {
        let guest = Guest { misbehave: call, ..Guest::good(&[Role::Process]) };
        check(&mut guest.deploy(limits()), FIRST, "!bad", Fault::Contract, Some(1), words);
    }
}

#[test]
fn a_rewritten_value_has_the_limit_of_the_function_that_could_have_written_it() {
    // The arena becomes a part of the memory, and the value the whole arena.
    let grow = |bytes: u32| {
        format!(
            "(global.set $arena (i32.const 0)) (global.set $arena-len (i32.const {bytes}))
             (i32.store offset=8 (call $rewritten (local.get $i)) (i32.const 0))
             (i32.store offset=12 (call $rewritten (local.get $i)) (i32.const {bytes}))"
        )
    };
    for (role, most, fault, words) in [
        (Role::Aggregate, 100_000, Fault::Output, "more than 100000 bytes for one value (limits.output-bytes)"),
        (Role::Process, 10_000, Fault::State, "a value of more than 10000 bytes (limits.state-bytes)"),
    ] {
        let deploy = |bytes| Guest { misbehave: grow(bytes), ..Guest::good(&[role]) }.deploy(limits());
        let largest = rewritten(&mut deploy(most), FIRST, &[stored(1, "!")]).remove(0).unwrap();
        assert_eq!(largest.bytes.len(), most as usize);
        check(&mut deploy(most + 1), FIRST, "!bad", fault, Some(1), words);
    }
}

#[test]
fn the_time_of_a_rewrite_is_not_one_by_which_versions_are_compared() {
    let mut guests = Guest::good(&[Role::Aggregate]).deploy(limits());
    rewritten(&mut guests, FIRST, &[stored(1, "good")]);
    let times = guests.take_times();
    assert_eq!(times, [(DeploymentId(0), Default::default())]);
}

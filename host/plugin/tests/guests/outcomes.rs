//! Guests that keep the contract: the engine gets their outcomes unchanged.

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{Attempt, Change, Effect, Field, Group, Grouped, Mode, Outcome, Output, Pair, Stored};
use millrace_engine::record::Header;

use crate::template::{FIRST, Guest, limits, message};

const BOTH: [Attempt; 2] = [Attempt::Batch, Attempt::Verdict];

fn output(value: Field) -> Output {
    Output { port: 0, key: Field::Inherit, value, timestamp: None, headers: None }
}

fn text(text: &'static str) -> Field {
    Field::Bytes(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_transform_gives_an_outcome_for_each_record_in_order() {
    let mut guests = Guest::good(&[Role::Transform]).deploy(limits());
    for attempt in BOTH {
        let called = guests.transform(FIRST, &[message("a"), message("b")], attempt).unwrap();
        assert_eq!(called.result, vec![Outcome::Outputs(vec![output(Field::Inherit)]); 2]);
    }
}

#[test]
fn a_call_without_records_reaches_no_guest() {
    let mut guests = Guest::good(&[Role::Transform]).deploy(limits());
    assert_eq!(guests.transform(FIRST, &[], Attempt::Batch).unwrap().result, vec![]);
}

#[test]
fn a_join_gets_both_sides_of_each_pair() {
    let mut guests = Guest::good(&[Role::Join]).deploy(limits());
    let pair =
        |right| Pair { key: Some(b"key"), left: Some(message("left")), right: Some(message(right)), timestamp: 7 };
    for attempt in BOTH {
        let called = guests.join(FIRST, &[pair("one"), pair("two")], attempt).unwrap();
        let expected = ["one", "two"].map(|value| Outcome::Outputs(vec![output(text(value))]));
        assert_eq!(called.result, expected);
    }
}

#[test]
fn an_aggregate_gives_state_and_results() {
    let mut guests = Guest::good(&[Role::Aggregate]).deploy(limits());
    let entries = vec![(Change::Add, message("one")), (Change::Subtract, message("two"))];
    let group = Group { key: b"key", window: None, state: None, absorbed: Vec::new(), entries };
    let state = Some(Stored { version: 1, bytes: Bytes::from_static(b"two") });
    let each = ["one", "two"].map(|value| Outcome::Outputs(vec![output(text(value))]));
    for attempt in BOTH {
        let grouped =
            |value, outcomes| vec![Grouped { state: state.clone(), value, outcomes, deleted_after: Vec::new() }];
        let called = guests.aggregate(FIRST, std::slice::from_ref(&group), Mode::Each, attempt).unwrap();
        assert_eq!(called.result, grouped(None, each.to_vec()));
        let called = guests.aggregate(FIRST, std::slice::from_ref(&group), Mode::Last, attempt).unwrap();
        let value = Some(Bytes::from_static(b"two"));
        let outcomes = vec![Outcome::Outputs(vec![]); 2];
        assert_eq!(called.result, grouped(value, outcomes));
    }
}

#[test]
fn logs_and_counts_come_back_in_order() {
    let mut guest = Guest::hostile(
        "(call $log (i32.const 2) (i32.const 0x7e00) (i32.const 5))
         (call $count (i32.const 0x7e00) (i32.const 4) (i64.const 3))",
    );
    guest.fields = r#"(data (i32.const 0x7e00) "hello")"#.into();
    let called = guest.deploy(limits()).transform(FIRST, &[message("!"), message("")], Attempt::Batch).unwrap();
    let log = Effect::Log { level: "warn", text: "hello".into() };
    assert_eq!(called.effects, vec![log, Effect::Count { name: "hell".into(), n: 3 }]);
}

#[test]
fn a_skip_carries_its_code() {
    let mut guest = Guest::hostile(
        "(i32.store8 (call $outcome (local.get $i)) (i32.const 1))
         (i32.store offset=4 (call $outcome (local.get $i)) (i32.const 0))
         (i32.store offset=8 (call $outcome (local.get $i)) (i32.const 3))
         (global.set $arena (i32.const 0x7e00)) (global.set $arena-len (i32.const 3))
         (global.set $outputs-len (i32.const 0))",
    );
    guest.fields = r#"(data (i32.const 0x7e00) "bad")"#.into();
    let called = guest.deploy(limits()).transform(FIRST, &[message("!")], Attempt::Batch).unwrap();
    assert_eq!(called.result, vec![Outcome::Skip("bad".into())]);
}

#[test]
fn a_port_that_changes_keys_may_put_out_a_null_key() {
    let body = "(i32.store (call $output (local.get $i)) (i32.const 1))
                (i32.store8 offset=4 (call $output (local.get $i)) (i32.const 1))";
    let called = Guest::hostile(body).deploy(limits()).transform(FIRST, &[message("!")], Attempt::Batch).unwrap();
    let rekeyed = Output { port: 1, key: Field::Null, ..output(Field::Inherit) };
    assert_eq!(called.result, vec![Outcome::Outputs(vec![rekeyed])]);
}

#[test]
fn headers_are_shown_only_to_a_function_that_wants_them() {
    // Counts the headers of the message: at offset 44 of it.
    let body = "(call $count (i32.const 0) (i32.const 0) (i64.extend_i32_u (i32.load offset=44 (global.get $arg))))";
    for (wants_headers, n) in [(false, 0), (true, 2)] {
        let mut guest = Guest::hostile(body);
        guest.manifest.functions[0].wants_headers = wants_headers;
        let headers = [Header::new("a", "1"), Header::new("b", "2")];
        let record = millrace_engine::ports::Message { headers: &headers, ..message("!") };
        let called = guest.deploy(limits()).transform(FIRST, &[record], Attempt::Batch).unwrap();
        assert_eq!(called.effects, vec![Effect::Count { name: String::new(), n }]);
    }
}

#[test]
fn a_batch_gives_the_outcomes_of_its_records_one_by_one() {
    let mut guests = Guest::good(&[Role::Transform]).deploy(limits());
    let records = ["a", "", "ccc"].map(message);
    let batch = guests.transform(FIRST, &records, Attempt::Batch).unwrap().result;
    let alone = records
        .iter()
        .flat_map(|record| guests.transform(FIRST, std::slice::from_ref(record), Attempt::Verdict).unwrap().result);
    assert_eq!(batch, alone.collect::<Vec<_>>());
}

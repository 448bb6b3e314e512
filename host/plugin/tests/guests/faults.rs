//! Guests that break a rule: the fault names it, the other records of the batch come through, and so does the next call.

use std::time::Duration;

use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{Attempt, CallError, Fault, Outcome};
use millrace_engine::topology::GuestLimits;

use crate::template::{FIRST, Guest, limits, message};

/// Where the blame lies in a call of three records of which the second is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    Second,
    Nobody,
}

/// Calls with good records around the bad one, then for a verdict on it, then with good ones alone.
fn check(guest: &Guest, fault: Fault, blame: Blame, words: &str) {
    let mut guests = guest.deploy(limits());
    let (good, bad) = (message("good"), message("!bad"));
    let batch = guests.transform(FIRST, &[good, bad, good], Attempt::Batch);
    expect(batch.map(|called| called.result), fault, (blame == Blame::Second).then_some(1), words);
    let verdict = guests.transform(FIRST, &[bad], Attempt::Verdict);
    expect(verdict.map(|called| called.result), fault, Some(0), words);
    for attempt in [Attempt::Batch, Attempt::Verdict] {
        let called = guests.transform(FIRST, &[good, good], attempt).unwrap();
        assert_eq!(called.result.len(), 2);
        assert!(called.result.iter().all(|outcome| matches!(outcome, Outcome::Outputs(outputs) if outputs.len() == 1)));
    }
}

pub fn expect<T: std::fmt::Debug>(result: Result<T, CallError>, fault: Fault, at: Option<usize>, words: &str) {
    match result {
        Err(CallError::Guest { fault: found, at: blamed, text }) => {
            assert_eq!((found, blamed), (fault, at), "{text}");
            assert!(text.contains(words), "{text:?} doesn't say {words:?}");
        }
        other => panic!("{other:?} instead of {fault:?}"),
    }
}

/// Each guest is a test: its name, what it does, the fault, who is blamed, and words of the reason.
macro_rules! hostile {
    ($($name:ident: $body:expr => $fault:ident, $blame:ident, $words:expr;)*) => {
        $(#[test]
        fn $name() {
            check(&Guest::hostile($body), Fault::$fault, Blame::$blame, $words);
        })*
    };
}

hostile! {
    an_endless_loop_ends_at_the_deadline:
        "(loop $l (br $l))" => Deadline, Second, "took longer than 300ms (limits.deadline)";
    an_endless_row_of_host_calls_ends_too:
        "(loop $l (call $count (i32.const 0) (i32.const 0) (i64.const 1)) (br $l))"
        => Output, Second, "logged and counted more than 256KiB for one record";
    growing_memory_without_end_is_refused:
        "(loop $l (drop (memory.grow (i32.const 1))) (br $l))"
        => Memory, Second, "more memory than 4MiB (limits.memory)";
    one_giant_growth_of_memory_is_refused:
        "(drop (memory.grow (i32.const 60000)))" => Memory, Second, "limits.memory";
    recursion_without_end_is_a_trap:
        "(call $misbehave (local.get $i))" => Trap, Second, "stack overflow";
    unreachable_code_is_a_trap:
        "unreachable" => Trap, Second, "unreachable";
    a_division_by_zero_is_a_trap:
        "(drop (i32.div_u (i32.const 1) (i32.const 0)))" => Trap, Second, "divide by zero";
    reading_outside_the_memory_is_a_trap:
        "(drop (i32.load (i32.const -4)))" => Trap, Second, "out of bounds";
    a_span_outside_the_arena_is_a_breach:
        "(i32.store8 offset=16 (call $output (local.get $i)) (i32.const 2))
         (i32.store offset=20 (call $output (local.get $i)) (i32.const 0x7fffffff))
         (i32.store offset=24 (call $output (local.get $i)) (i32.const 1))"
        => Contract, Second, "span 2147483647 + 1 leaves its arena";
    a_span_whose_end_overflows_is_a_breach:
        "(i32.store8 offset=16 (call $output (local.get $i)) (i32.const 2))
         (i32.store offset=20 (call $output (local.get $i)) (i32.const -1))
         (i32.store offset=24 (call $output (local.get $i)) (i32.const -1))"
        => Contract, Second, "leaves its arena";
    a_list_of_outputs_outside_the_memory_is_a_breach:
        "(global.set $outputs (i32.const 0x7ffffff8))" => Contract, Nobody, "out of bounds";
    a_list_of_outputs_that_is_not_aligned_is_a_breach:
        "(global.set $outputs (i32.const 0x20001))" => Contract, Nobody, "not aligned";
    a_list_longer_than_the_memory_is_a_breach:
        "(global.set $outputs-len (i32.const 0x7fffffff))" => Contract, Nobody, "broke the contract";
    an_arena_outside_the_memory_is_a_breach:
        "(global.set $arena-len (i32.const -1))" => Contract, Nobody, "broke the contract";
    too_few_outcomes_are_a_breach:
        "(global.set $outcomes-len (i32.const 0))" => Contract, Nobody, "outcomes for";
    too_many_outcomes_are_a_breach:
        "(global.set $outcomes-len (i32.const 100))" => Contract, Nobody, "outcomes for";
    outputs_that_are_not_there_are_a_breach:
        "(i32.store offset=4 (call $outcome (local.get $i)) (i32.const 99))"
        => Contract, Second, "counts 99 outputs, but";
    outputs_of_no_record_are_a_breach:
        "(i32.store offset=4 (call $outcome (local.get $i)) (i32.const 0))"
        => Contract, Nobody, "1 outputs belong to no record";
    too_many_outputs_break_their_limit:
        "(i32.store offset=4 (call $outcome (local.get $i)) (i32.const 101))"
        => Output, Second, "put out 101 outputs for one record, more than 100 (limits.outputs)";
    giant_outputs_break_their_limit:
        "(global.set $arena (i32.const 0)) (global.set $arena-len (i32.const 0x40000))
         (i32.store8 offset=16 (call $output (local.get $i)) (i32.const 2))
         (i32.store offset=24 (call $output (local.get $i)) (i32.const 0x40000))"
        => Output, Second, "put out more than 100000 bytes for one record (limits.output-bytes)";
    a_port_that_does_not_exist_is_a_breach:
        "(i32.store (call $output (local.get $i)) (i32.const 2))"
        => Contract, Second, "at port 2 of a function with 2";
    a_changed_key_at_a_port_that_changes_none_is_a_breach:
        "(i32.store8 offset=4 (call $output (local.get $i)) (i32.const 1))"
        => Contract, Second, "another key at port `out`";
    headers_that_are_not_there_are_a_breach:
        "(i32.store8 offset=48 (call $output (local.get $i)) (i32.const 1))
         (i32.store offset=56 (call $output (local.get $i)) (i32.const 5))"
        => Contract, Second, "headers 0 + 5 leave the reply's list of 0";
    a_kind_of_outcome_that_does_not_exist_is_a_breach:
        "(i32.store8 (call $outcome (local.get $i)) (i32.const 7))" => Contract, Nobody, "discriminant";
    a_code_that_is_not_utf_8_is_a_breach:
        "(i32.store8 (call $outcome (local.get $i)) (i32.const 1))
         (i32.store8 (global.get $arena) (i32.const 0xff))
         (i32.store offset=4 (call $outcome (local.get $i)) (i32.const 0))
         (i32.store offset=8 (call $outcome (local.get $i)) (i32.const 1))"
        => Contract, Second, "isn't UTF-8";
    a_code_that_is_not_in_the_manifest_is_a_breach:
        "(i32.store8 (call $outcome (local.get $i)) (i32.const 1))
         (i32.store8 (global.get $arena) (i32.const 65))
         (i32.store offset=4 (call $outcome (local.get $i)) (i32.const 0))
         (i32.store offset=8 (call $outcome (local.get $i)) (i32.const 1))"
        => Contract, Second, "the code \"A\" of a failure or skip isn't in the manifest";
    naming_a_record_that_is_not_there_is_a_breach:
        "(call $at (i32.const 1000))" => Contract, Second, "is at record 1000 of a call with";
    naming_a_record_twice_to_renew_its_budget_is_a_breach:
        "(loop $l (call $at (local.get $i)) (br $l))" => Contract, Second, "after record";
    a_log_line_outside_the_memory_is_a_breach:
        "(call $log (i32.const 3) (i32.const -8) (i32.const 8))" => Contract, Nobody, "out of bounds";
    a_log_line_that_is_not_utf_8_is_a_breach:
        "(i32.store8 (i32.const 0) (i32.const 0xff)) (call $log (i32.const 3) (i32.const 0) (i32.const 1))"
        => Contract, Second, "utf-8";
}

/// A loop of so many rounds, with this in it.
fn rounds(rounds: u32, body: &str) -> String {
    format!(
        "(local $n i32) (local.set $n (i32.const {rounds}))
         (loop $l {body} (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
    )
}

/// What it must not depend on is how fast a machine is. The first has five operators a round, of which the machine
/// makes two instructions, and takes a core of 3 GHz a third of the deadline; the second a tenth of it.
#[test]
fn a_record_that_passes_by_the_clock_does_not_fail_by_fuel() {
    let copy = "(memory.copy (i32.const 0x40000) (i32.const 0x80000) (i32.add (local.get $i) (i32.const 0x8000)))";
    for (operators, body) in [("of arithmetic", rounds(300_000_000, "")), ("with a copy", rounds(100_000, copy))] {
        let verdict = Guest::hostile(&body).deploy(limits()).transform(FIRST, &[message("!")], Attempt::Verdict);
        assert!(verdict.is_ok(), "rounds {operators}: {verdict:?}");
    }
}

#[test]
fn a_record_with_endless_copies_fails() {
    let copy = "(memory.copy (i32.const 0x40000) (i32.const 0x80000) (i32.add (local.get $i) (i32.const 0x8000)))";
    let limits = GuestLimits { deadline: Duration::from_millis(10), ..limits() };
    let mut guests = Guest::hostile(&format!("(loop $l {copy} (br $l))")).deploy(limits);
    let verdict = guests.transform(FIRST, &[message("!")], Attempt::Verdict);
    expect(verdict, Fault::Deadline, Some(0), "took longer than 10ms (limits.deadline)");
}

#[test]
fn a_panic_is_a_fault_with_its_text() {
    let mut guest = Guest::hostile("(call $log (i32.const 3) (i32.const 0x7e00) (i32.const 31)) unreachable");
    guest.fields = r#"(data (i32.const 0x7e00) "panicked at src/lib.rs:7: a bug")"#.into();
    check(&guest, Fault::Trap, Blame::Second, "panicked at src/lib.rs:7: a bug");
}

#[test]
fn an_error_logged_for_an_earlier_record_is_not_the_text_of_a_trap() {
    let mut guest = Guest::hostile(
        "(if (i32.eqz (local.get $i)) (then (call $log (i32.const 3) (i32.const 0x7e00) (i32.const 5))) (else unreachable))",
    );
    guest.fields = r#"(data (i32.const 0x7e00) "hello")"#.into();
    let mut guests = guest.deploy(limits());
    let called = guests.transform(FIRST, &[message("!a"), message("!b")], Attempt::Batch);
    expect(called, Fault::Trap, Some(1), "trapped: unreachable code");
}

#[test]
fn an_endless_allocator_ends_at_the_deadline() {
    let guest = Guest::good(&[Role::Transform]);
    // Behaves while it is configured, and hangs when a call's arena comes that is larger than any config.
    let text = guest.text().replace(
        "(global.set $heap (i32.and",
        "(if (i32.gt_u (local.get 3) (i32.const 100000)) (then (loop $l (br $l))))\n(global.set $heap (i32.and",
    );
    let module = crate::template::module(&text, &[Role::Transform]);
    let runtime = millrace_plugin::Runtime::new(None).unwrap();
    let plugin = runtime.load(&module, "guest.wasm", &millrace_plugin::PluginSettings::new("{}", limits())).unwrap();
    let mut guests = millrace_plugin::GuestInstances::of([(FIRST.deployment, plugin)]);
    let large = "x".repeat(100_001);
    let called = guests.transform(FIRST, &[message(&large)], Attempt::Batch);
    expect(called, Fault::Deadline, Some(0), "limits.deadline");
    guests.transform(FIRST, &[message("good")], Attempt::Batch).unwrap();
}

#[test]
fn an_allocator_that_returns_pointers_outside_the_memory_breaks_the_contract() {
    let mut guests = Guest::good(&[Role::Transform]).deploy(limits());
    // More than the memory that the guest starts with and never grows.
    let large = "x".repeat(3 << 20);
    let called = guests.transform(FIRST, &[message(&large)], Attempt::Batch);
    expect(called, Fault::Contract, Some(0), "broke the contract");
    guests.transform(FIRST, &[message("good")], Attempt::Batch).unwrap();
}

#[test]
fn state_and_timers_trap_outside_of_process_functions() {
    for (body, words) in [
        (
            "(call $get (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0x7000))",
            "state belongs to process functions",
        ),
        (
            "(call $set-at (i32.const 0) (i32.const 1) (i64.const 1) (i32.const 0))",
            "timers belong to process functions",
        ),
    ] {
        let guest = Guest { misbehave: body.into(), ..Guest::good(&[Role::Transform, Role::Process]) };
        check(&guest, Fault::Contract, Blame::Second, words);
    }
}

#[test]
fn the_output_of_a_join_can_not_inherit_one_of_two_values() {
    let misbehave = "(i32.store8 offset=16 (call $output (local.get $i)) (i32.const 0))".into();
    let mut guests = Guest { misbehave, ..Guest::good(&[Role::Join]) }.deploy(limits());
    let pair = millrace_engine::ports::Pair {
        key: Some(b"key"),
        left: Some(message("left")),
        right: Some(message("!right")),
        timestamp: 7,
    };
    expect(guests.join(FIRST, &[pair], Attempt::Batch), Fault::Contract, Some(0), "inherits the value");
}

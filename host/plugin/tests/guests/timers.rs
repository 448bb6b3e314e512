//! Timers of process functions: set, taken back, fired; and who may not.

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{Attempt, CallError, Called, Clock, Due, Fault, Field, Outcome, Stored};
use millrace_engine::state::ProcessScope;

use crate::faults::expect;
use crate::golden::{TIMERS, golden};
use crate::process::Memory;
use crate::template::{FIRST, Guest, limits, message};

const BOTH: [Attempt; 2] = [Attempt::Batch, Attempt::Verdict];

/// A scope for a record of key `key` and timestamp 7, when the driver's clock is at 1000.
fn scope() -> ProcessScope {
    ProcessScope::with_timers(Box::new(Memory::default()), 1, Some(Bytes::from_static(b"key")), 7, 1000).unwrap()
}

/// Calls the golden guest with these commands: the timers `a` and `b` of both clocks that are set afterwards.
fn set(commands: &[&str]) -> Vec<(&'static str, Clock, i64)> {
    let (mut guests, mut scope) = (golden(), scope());
    for command in commands {
        let (called, after) = guests.process(TIMERS, message(command), scope, Attempt::Batch);
        assert_eq!(called.unwrap().result, Outcome::Outputs(vec![]));
        scope = after;
    }
    let all = ["a", "b"].into_iter().flat_map(|name| [(name, Clock::Stream), (name, Clock::Wall)]);
    let time = |(name, clock)| scope.timer(name, clock).unwrap().map(|time| (name, clock, time));
    all.filter_map(time).collect()
}

#[test]
fn timers_are_set_for_a_time_or_a_delay_on_either_clock() {
    assert_eq!(set(&["at stream 50 a; at wall 60 a"]), [("a", Clock::Stream, 50), ("a", Clock::Wall, 60)]);
    assert_eq!(set(&["after stream 50 a; after wall 60 b"]), [("a", Clock::Stream, 57), ("b", Clock::Wall, 1060)]);
}

#[test]
fn a_timer_is_replaced_when_set_again_and_removed_when_cancelled() {
    assert_eq!(set(&["at stream 50 a", "at stream 40 a"]), [("a", Clock::Stream, 40)]);
    assert_eq!(set(&["at stream 50 a; at wall 50 a; at stream 50 b", "cancel stream a; cancel wall b"]).len(), 2);
}

fn fire(guests: &mut impl Logic, due: Due<'_>, attempt: Attempt) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
    guests.on_timer(FIRST, due, scope(), attempt)
}

fn due(name: &str) -> Due<'_> {
    Due { key: Some(b"key"), name, time: 50, clock: Clock::Stream }
}

#[test]
fn a_guest_gets_a_due_timer_with_its_key_name_time_clock_and_stores() {
    for attempt in BOTH {
        let mut guests = golden();
        let mut scope = scope();
        for (clock, words) in [(Clock::Stream, "every-5 stream 50 1"), (Clock::Wall, "every-5 wall 50 2")] {
            let (called, after) = guests.on_timer(TIMERS, Due { clock, ..due("every-5") }, scope, attempt);
            scope = after;
            let Outcome::Outputs(outputs) = called.unwrap().result else { panic!("it failed") };
            let outputs: Vec<_> = outputs.into_iter().map(|output| (output.key, output.value)).collect();
            assert_eq!(outputs, [(Field::Inherit, Field::Bytes(Bytes::copy_from_slice(words.as_bytes())))]);
            assert_eq!(scope.timer("every-5", clock).unwrap(), Some(55), "it can set timers itself");
        }
        // The key of the pair, with its end, and the name.
        let count = Stored { version: 1, bytes: Bytes::from_static(b"2") };
        assert_eq!(scope.get(0, b"key\0\0every-5").unwrap(), Some(count));
    }
}

#[test]
fn the_stores_come_back_from_a_timer_that_traps_and_the_next_timer_has_a_fresh_guest() {
    let mut guests = Guest { misbehave: "unreachable".into(), ..Guest::good(&[Role::Process]) }.deploy(limits());
    for attempt in BOTH {
        let (called, scope) = fire(&mut guests, due("!"), attempt);
        expect(called, Fault::Trap, Some(0), "unreachable");
        assert_eq!((scope.stores(), scope.has_timers()), (1, true));
        let (called, _) = fire(&mut guests, due("good"), attempt);
        assert!(matches!(called.unwrap().result, Outcome::Outputs(outputs) if outputs.len() == 1));
    }
}

#[test]
fn an_output_of_a_timer_can_not_inherit_a_value() {
    let inherit = "(i32.store8 offset=16 (call $output (local.get $i)) (i32.const 0))";
    let mut guests = Guest { misbehave: inherit.into(), ..Guest::good(&[Role::Process]) }.deploy(limits());
    let (called, _) = fire(&mut guests, due("!"), Attempt::Batch);
    expect(called, Fault::Contract, Some(0), "inherits the value of an input that has none");
}

#[test]
fn a_timer_for_an_unknown_deployment_gives_the_stores_back() {
    let (called, scope) = fire(&mut millrace_plugin::GuestInstances::default(), due("a"), Attempt::Batch);
    assert!(matches!(called, Err(CallError::Host(_))));
    assert_eq!(scope.stores(), 1);
}

/// What a process function does with a record whose value is `!`.
fn process(misbehave: &str, timers: bool) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
    let mut guest = Guest { misbehave: misbehave.into(), ..Guest::good(&[Role::Process]) };
    guest.manifest.functions[0].timers = timers;
    let scope = if timers { scope() } else { ProcessScope::over(Box::new(Memory::default()), 1) };
    guest.deploy(limits()).process(FIRST, message("!"), scope, Attempt::Verdict)
}

#[test]
fn a_function_without_timers_in_its_manifest_traps_when_it_uses_them() {
    for call in [
        "(call $set-at (i32.const 0) (i32.const 1) (i64.const 1) (i32.const 0))",
        "(call $set-after (i32.const 0) (i32.const 1) (i64.const 1) (i32.const 1))",
        "(call $cancel (i32.const 0) (i32.const 1) (i32.const 0))",
    ] {
        let words = "used timers, but its manifest doesn't say that it does";
        expect(process(call, false).0, Fault::Contract, Some(0), words);
        assert!(process(call, true).0.is_ok());
    }
}

#[test]
fn timers_that_the_engine_did_not_provide_are_an_error_of_the_host() {
    let scope = ProcessScope::over(Box::new(Memory::default()), 1);
    let (called, scope) = golden().process(TIMERS, message("at stream 1 a"), scope, Attempt::Batch);
    assert!(matches!(called, Err(CallError::Host(text)) if text.contains("the function has no timers")));
    assert_eq!(scope.stores(), 1);
}

#[test]
fn the_name_of_a_timer_is_text_of_at_most_255_bytes() {
    let set = |bytes: u32| format!("(call $set-at (i32.const 0) (i32.const {bytes}) (i64.const 1) (i32.const 0))");
    let (called, scope) = process(&set(255), true);
    assert!(called.is_ok());
    assert_eq!(scope.timer(&"\0".repeat(255), Clock::Stream).unwrap(), Some(1));
    let words = "named a timer with 256 bytes; a name has at most 255";
    expect(process(&set(256), true).0, Fault::Contract, Some(0), words);
    let not_text = format!("(i32.store8 (i32.const 0) (i32.const 0xff)) {}", set(1));
    expect(process(&not_text, true).0, Fault::Contract, Some(0), "the name of a timer is no text");
    let outside = "(call $set-at (i32.const -8) (i32.const 4) (i64.const 1) (i32.const 0))";
    expect(process(outside, true).0, Fault::Contract, Some(0), "broke the contract");
}

#[test]
fn timers_count_against_the_limits_of_state() {
    let operations = "(loop $l (call $cancel (i32.const 0) (i32.const 1) (i32.const 0)) (br $l))";
    let words = "more than 100 operations on stores and timers for one record (limits.state-ops)";
    expect(process(operations, true).0, Fault::State, Some(0), words);
    let bytes = "(loop $l (call $set-at (i32.const 0) (i32.const 200) (i64.const 1) (i32.const 0)) (br $l))";
    let words = "more than 10000 bytes of state for one record (limits.state-bytes)";
    expect(process(bytes, true).0, Fault::State, Some(0), words);
}

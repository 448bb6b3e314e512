//! Calls whose time is over: they end, and nobody is to blame.

use std::time::Duration;

use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{Attempt, CallError, Fault};

use crate::faults::expect;
use crate::template::{FIRST, Guest, limits, message};

/// So much that no test comes to its end.
const PLENTY: Option<Duration> = Some(Duration::from_secs(3600));

/// A guest that takes some milliseconds for a record.
fn slow() -> Guest {
    let spin = "(global.set $left (i32.const 3000000))
        (loop $l (global.set $left (i32.sub (global.get $left) (i32.const 1))) (br_if $l (global.get $left)))";
    Guest {
        misbehave: spin.into(),
        fields: "(global $left (mut i32) (i32.const 0))".into(),
        ..Guest::good(&[Role::Transform])
    }
}

#[test]
fn a_call_ends_when_its_time_is_over_without_blaming_a_record() {
    let mut guests = slow().deploy(limits());
    let records = [message("!"); 500];
    guests.limit_time(Some(Duration::from_millis(50)));
    let called = guests.transform(FIRST, &records, Attempt::Batch);
    assert!(matches!(called, Err(CallError::Overrun)), "{called:?}");
    let next = guests.transform(FIRST, &records[..1], Attempt::Batch);
    assert!(matches!(next, Err(CallError::Overrun)), "the time is that of all calls: {next:?}");
    for time in [PLENTY, None] {
        guests.limit_time(time);
        assert_eq!(guests.transform(FIRST, &records[..20], Attempt::Batch).unwrap().result.len(), 20);
    }
}

#[test]
fn a_broken_deadline_is_a_fault_only_if_there_is_time_for_a_verdict() {
    let mut guests = Guest::hostile("(loop $l (br $l))").deploy(limits());
    let records = [message("good"), message("!bad")];
    guests.limit_time(PLENTY);
    let called = guests.transform(FIRST, &records, Attempt::Batch);
    expect(called.map(|called| called.result), Fault::Deadline, Some(1), "limits.deadline");
    guests.limit_time(Some(limits().deadline * 3));
    let called = guests.transform(FIRST, &records, Attempt::Batch);
    assert!(matches!(called, Err(CallError::Overrun)), "{called:?}");
    guests.limit_time(None);
    let called = guests.transform(FIRST, &records, Attempt::Batch);
    expect(called.map(|called| called.result), Fault::Deadline, Some(1), "limits.deadline");
}

#[test]
fn a_verdict_that_does_not_end_in_time_blames_no_record() {
    let mut guests = Guest::hostile("(loop $l (br $l))").deploy(limits());
    guests.limit_time(Some(Duration::from_millis(50)));
    let verdict = guests.transform(FIRST, &[message("!bad")], Attempt::Verdict);
    assert!(matches!(verdict, Err(CallError::Overrun)), "{verdict:?}");
    guests.limit_time(PLENTY);
    let verdict = guests.transform(FIRST, &[message("!bad")], Attempt::Verdict);
    expect(verdict.map(|called| called.result), Fault::Deadline, Some(0), "by the number of its instructions");
}

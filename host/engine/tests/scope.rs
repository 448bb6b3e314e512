//! What a process function may do with its stores and timers during one call.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use millrace_engine::ports::Clock;
use millrace_engine::state::ProcessScope;
use support::Disk;

fn with_timers() -> ProcessScope {
    ProcessScope::with_timers(Disk::default().partition(0), 1, Some(Bytes::from("k")), 50, 900).unwrap()
}

#[test]
fn a_timer_is_known_by_its_name_and_clock_and_set_anew_it_is_replaced() {
    let mut scope = with_timers();
    assert!(scope.has_timers());
    scope.set_at("a", 70, Clock::Stream).unwrap();
    scope.set_at("a", 80, Clock::Wall).unwrap();
    scope.set_at("b", 10, Clock::Stream).unwrap();
    scope.set_at("a", 60, Clock::Stream).unwrap();
    assert_eq!(scope.timer("a", Clock::Stream).unwrap(), Some(60));
    assert_eq!(scope.timer("a", Clock::Wall).unwrap(), Some(80));
    assert_eq!(scope.timer("b", Clock::Stream).unwrap(), Some(10));
    scope.cancel("a", Clock::Stream).unwrap();
    scope.cancel("nobody", Clock::Stream).unwrap();
    assert_eq!(scope.timer("a", Clock::Stream).unwrap(), None);
    assert_eq!(scope.timer("a", Clock::Wall).unwrap(), Some(80));
}

#[test]
fn a_delay_counts_from_the_stream_time_or_from_the_drivers_clock() {
    let mut scope = with_timers();
    scope.set_after("a", 7, Clock::Stream).unwrap();
    scope.set_after("a", 7, Clock::Wall).unwrap();
    scope.set_after("never", u64::MAX, Clock::Wall).unwrap();
    assert_eq!(scope.timer("a", Clock::Stream).unwrap(), Some(57));
    assert_eq!(scope.timer("a", Clock::Wall).unwrap(), Some(907));
    assert_eq!(scope.timer("never", Clock::Wall).unwrap(), Some(i64::MAX));
}

#[test]
fn timers_are_refused_where_the_function_has_none() {
    let mut scope = ProcessScope::over(Disk::default().partition(0), 1);
    assert!(!scope.has_timers());
    assert!(scope.set_at("a", 1, Clock::Stream).is_err());
    assert!(scope.set_after("a", 1, Clock::Wall).is_err());
    assert!(scope.cancel("a", Clock::Wall).is_err());
    assert!(scope.timer("a", Clock::Wall).is_err());
}

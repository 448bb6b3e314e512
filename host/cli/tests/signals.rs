//! Signals to `millrace run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::process::Command;

use support::{Place, Running, ignores_sighup, until};

const RUN: &str = "run orders.toml --data data";

/// A run that blocks on its pipeline file, a pipe that the test doesn't write, so that it can't stop.
fn stuck(place: &Place) -> Running {
    assert!(Command::new("mkfifo").arg(place.path("late.toml")).status().unwrap().success());
    place.start("run late.toml --data data")
}

#[test]
fn a_second_signal_ends_a_run_that_hangs_while_it_stops() {
    for (first, second, code) in [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "INT", 130)] {
        let place = Place::new();
        let mut run = stuck(&place);
        run.signal(first);
        run.logged_with(&format!("SIG{first}: finishing and committing"));
        run.signal(second);
        assert_eq!(run.wait().code(), Some(code), "{first}, {second}");
    }
}

#[test]
fn a_hangup_before_or_after_another_signal_does_not_count_as_a_second_one() {
    for (first, second) in [("TERM", "HUP"), ("HUP", "TERM")] {
        let place = Place::new();
        let pipeline = std::fs::read_to_string(place.path("orders.toml")).unwrap();
        let mut run = stuck(&place);
        run.signal(first);
        run.logged_with(&format!("SIG{first}: finishing and committing"));
        run.signal(second);
        std::fs::write(place.path("late.toml"), pipeline).unwrap();
        assert_eq!(run.wait().code(), Some(0), "{first}, {second}");
    }
}

#[test]
fn a_hangup_stops_a_run_after_a_commit() {
    let place = Place::new();
    let mut run = place.start(RUN);
    run.logged("running");
    run.signal("HUP");
    run.logged("stopped");
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn a_run_keeps_ignoring_a_hangup_that_it_was_started_to_ignore() {
    let place = Place::new();
    let mut command = Command::new("sh");
    let millrace = place.command(RUN);
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(millrace.get_program()).args(millrace.get_args());
    command.current_dir(place.path("")).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).env_remove("MILLRACE_LOG");
    let mut run = Running::start(command);
    run.logged("running");
    until("it catches SIGTERM and ignores SIGHUP", || ignores_sighup(run.id()));
    run.signal("HUP");
    assert_eq!(run.terminate().code(), Some(0));
    assert!(!run.rest().iter().any(|line| line.contains("SIGHUP")));
}

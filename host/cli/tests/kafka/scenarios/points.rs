//! A process dies between any two steps of a commit, where a record could be lost or processed twice.

use std::os::unix::process::ExitStatusExt;

use crate::harness::{App, Settings, Shape, shared_broker};

/// The points of a commit, twice each: in an early commit, and in one when there is state.
const POINTS: [&str; 8] = [
    "produced:1",
    "offsets-sent:1",
    "acknowledged:1",
    "stored:1",
    "produced:4",
    "offsets-sent:4",
    "acknowledged:4",
    "stored:4",
];

/// Records a second.
const RATE: u32 = 600;

#[test]
fn the_next_process_continues_where_one_died_at_any_point_of_a_commit() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "points", Shape { seed: 4, orders: 30_000, giants: None }, Settings::default());
    let feeder = app.feed(Some(RATE));
    for point in POINTS {
        let mut process = app.start_with_fault("data", point);
        assert_eq!(process.wait().signal(), Some(6), "it was to die at {point}");
    }
    std::fs::remove_dir_all(app.path("data")).unwrap();
    for _ in 0..2 {
        let mut process = app.start_with_fault("data", "restoring:1");
        assert_eq!(process.wait().signal(), Some(6), "it was to die while it restores");
    }
    let process = app.start("data");
    feeder.finish();
    app.finish(process, "data");
}

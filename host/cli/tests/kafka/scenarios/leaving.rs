//! SIGTERM under load.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{App, Settings, Shape, shared_broker, within};

/// Records a second.
const RATE: u32 = 1_000;

#[test]
fn a_process_that_is_told_to_stop_under_load_commits_and_leaves_the_group() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "leave", Shape { seed: 9, orders: 30_000, giants: None }, Settings::default());
    let feeder = app.feed(Some(RATE));
    let mut process = app.start("data");
    process.wait_until_running();
    app.wait_for_more(1_000);
    process.signal(Signal::SIGTERM);
    within(Duration::from_secs(30), "it has stopped", || !process.is_alive());
    assert_eq!(process.wait().code(), Some(0));
    // At once, not after the session timeout.
    assert_eq!(app.kafka.members(&app.name).unwrap(), 0);
    let states: Vec<_> = process.logged("state").into_iter().map(|entry| entry["to"].clone()).collect();
    assert!(states.ends_with(&["draining".into(), "stopped".into()]), "{states:?}");
    feeder.finish();
    let process = app.start("data");
    app.finish(process, "data");
}

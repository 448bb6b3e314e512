//! Results don't wait for the commit interval, and what comes to none isn't lost by that.

use crate::harness::{App, Settings, Shape, shared_broker, until};

/// Records a second.
const RATE: u32 = 300;

/// Longer than anything here is waited for: what is committed is so because of its results.
const NEVER: &str = "--set commit-interval=200s";

#[test]
fn results_are_committed_at_once_and_the_rest_survives_a_kill_before_its_commit() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "prompt", Shape { seed: 15, orders: 6_000, giants: None }, Settings::default());
    let feeder = app.feed(Some(RATE));
    for _ in 0..2 {
        let mut process = app.start_with("data", NEVER);
        process.wait_until_running();
        let results = || app.kafka.ends(&app.topic("orders"), 4).unwrap().iter().map(|end| end.stable).sum::<i64>();
        let before = results();
        until("results are committed", || results() >= before + 300);
        process.kill();
    }
    feeder.finish();
    let process = app.start("data");
    app.finish(process, "data");
}

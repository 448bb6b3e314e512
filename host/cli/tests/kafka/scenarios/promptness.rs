//! Results don't wait for the commit interval; records without a result are committed later, and not lost.

use crate::harness::{App, Settings, Shape, shared_broker, until};

/// Records a second.
const RATE: u32 = 300;

/// Longer than any wait of the test: whatever is committed was committed because of its results.
const LONG: &str = "--set commit-interval=200s";

#[test]
fn results_are_committed_before_the_interval_is_over_and_the_rest_survives_a_kill() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "prompt", Shape { seed: 15, orders: 9_000, giants: None }, Settings::default());
    let feeder = app.feed(Some(RATE));
    for _ in 0..2 {
        let mut process = app.start_with("data", LONG);
        process.wait_until_running();
        let before = app.committed();
        until("results are committed", || app.committed() >= before + 300);
        // The table has no results, so its input waits for the interval.
        until("not all is committed", || app.lag().is_ok_and(|lag| lag > 0));
        process.kill();
    }
    feeder.finish();
    let process = app.start("data");
    app.finish(process, "data");
}

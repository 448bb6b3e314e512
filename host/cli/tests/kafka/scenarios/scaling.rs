//! From one process to three and back.

use crate::harness::{App, Settings, Shape, shared_broker, until};

/// Records a second.
const RATE: u32 = 500;

#[test]
fn records_are_processed_exactly_once_while_processes_come_and_go_under_load() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "scale", Shape { seed: 5, orders: 20_000, giants: None }, Settings::default());
    let feeder = app.feed(Some(RATE));
    let mut first = app.start("one");
    first.wait_until_running();
    app.wait_for_more(500);
    let mut second = app.start("two");
    let mut third = app.start("three");
    second.wait_until_running();
    third.wait_until_running();
    until("all three are members", || app.kafka.members(&app.name).is_ok_and(|members| members == 3));
    app.wait_for_more(1_000);
    // All of them have worked: each logs its counts at the end.
    let said = first.stop();
    assert!(said["consumed"].as_u64() > Some(0), "{said}");
    app.wait_for_more(500);
    let said = third.stop();
    assert!(said["consumed"].as_u64() > Some(0), "{said}");
    feeder.finish();
    app.finish(second, "two");
}

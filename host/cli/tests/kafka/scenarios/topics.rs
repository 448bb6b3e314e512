//! Topics that are missing, are deleted, or may not be used.

use millrace_broker::{Operation, Options};

use crate::harness::{App, Plain, Settings, Shape, allow, own_broker, shared_broker, until};

/// Records a second.
const RATE: u32 = 400;

#[test]
fn a_process_names_a_missing_topic_and_waits_for_it() {
    let Some(broker) = shared_broker() else { return };
    let settings = Settings { with_orders: false, ..Settings::default() };
    let app = App::new(&broker, "missing", Shape { seed: 30, orders: 1_000, giants: None }, settings);
    app.feed_all();
    let process = app.start("data");
    process.wait_until_it_says("missing topics: `missing-orders`");
    app.create_topic("orders");
    app.finish(process, "data");
}

#[test]
fn a_process_names_an_output_topic_that_is_deleted_and_waits_for_it() {
    let Some(broker) = shared_broker() else { return };
    let settings = Settings { kafka: r#""transaction.timeout.ms" = 5000"#, ..Settings::default() };
    let app = App::new(&broker, "deleted", Shape { seed: 31, orders: 20_000, giants: None }, settings);
    let feeder = app.feed(Some(RATE));
    let mut process = app.start("data");
    process.wait_until_running();
    app.wait_for_more(500);
    app.kafka.delete(&app.topic("sums"));
    process.wait_until_it_says_that_a_write_failed_to(&app.topic("sums"));
    app.create_topic("sums");
    feeder.finish();
    app.wait_until_caught_up(crate::harness::PATIENCE);
    assert!(process.is_alive());
    process.stop();
    app.check_but_for_sums_before_the_topic_was_made("data");
}

/// Two sub-topologies in one worker.
const PARTS: &str = r#"
app = "APP"
[kafka]
"transaction.timeout.ms" = 5000
[[source]]
name = "first"
topic = "APP-first"
key = "string"
[[source]]
name = "second"
topic = "APP-second"
key = "string"
[[sink]]
from = "first"
topic = "APP-first-out"
[[sink]]
from = "second"
topic = "APP-second-out"
"#;

const TOPICS: [(&str, i32); 4] = [("first", 2), ("second", 2), ("first-out", 1), ("second-out", 1)];

#[test]
fn a_task_whose_output_topic_is_missing_does_not_block_others() {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, "apart", PARTS, &TOPICS);
    let write = |topic: &str, from: i64| {
        (0..2).for_each(|part| app.write(topic, part, (from..from + 200).filter(|id| id % 2 == i64::from(part))))
    };
    let is_all_there = |topic: &str, from: i64| {
        app.wait_for(topic, |found| (from..from + 200).all(|id| found.get(&id) == Some(&1)));
    };
    let process = app.start("data");
    for topic in ["first", "second"] {
        write(topic, 0);
        is_all_there(&format!("{topic}-out"), 0);
    }
    app.kafka.delete(&app.topic("first-out"));
    write("first", 200);
    process.wait_until_it_says_that_a_write_failed_to(&app.topic("first-out"));
    // With the first one tried again and again.
    for from in [200, 400, 600] {
        write("second", from);
        is_all_there("second-out", from);
    }
    app.kafka.create(&app.topic("first-out"), 1, &[("retention.ms", "-1")]);
    is_all_there("first-out", 200);
    write("first", 400);
    is_all_there("first-out", 400);
    process.stop();
}

#[test]
fn an_input_that_is_deleted_is_named_the_app_is_degraded_and_other_inputs_go_on() {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, "hidden", PARTS, &TOPICS);
    let mut process = app.start("data");
    process.wait_until_running();
    let assigned = format!("{0}-first: 0-1; {0}-second: 0-1", app.name);
    assert!(process.logged("assigned").iter().any(|entry| entry["partitions"] == assigned.as_str()));
    assert_eq!(process.logged("instance").len(), 1);
    app.kafka.delete(&app.topic("first"));
    process.wait_until_it_says("the broker knows of no such topic");
    let is_degraded = || process.logged("state").iter().any(|entry| entry["to"] == "degraded");
    until("the state says that an input is missing", is_degraded);
    app.write("second", 0, 0..100);
    app.wait_for("second-out", |found| found.len() == 100);
    process.stop();
}

/// Its records are nowhere else, so the process doesn't wait for it.
#[test]
fn a_process_stops_when_its_repartition_topic_is_deleted() {
    let Some(broker) = shared_broker() else { return };
    let shape = Shape { seed: 34, orders: 20_000, giants: None };
    let app = App::new(&broker, "unrouted", shape, Settings::default());
    let _feeder = app.feed(Some(RATE));
    let mut process = app.start("data");
    process.wait_until_running();
    app.wait_for_more(500);
    let topic = app.topic("by-product-repartition");
    app.kafka.delete(&topic);
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.says(&format!("the internal topic `{topic}` has been deleted")), "{:?}", process.entries());
}

#[test]
fn a_process_names_a_topic_that_it_may_not_read_or_write_and_waits_for_it() {
    let Some(mut cluster) = own_broker(Options { acls: true, ..crate::harness::options() }) else { return };
    let app =
        App::new(&cluster.bootstrap(), "barred", Shape { seed: 32, orders: 20_000, giants: None }, Settings::default());
    let feeder = app.feed(Some(RATE));
    let mut process = app.start("data");
    process.wait_until_running();
    app.wait_for_more(500);
    let orders = app.topic("orders");
    cluster.forbid(&orders, Operation::Write).unwrap();
    process.wait_until_it_says_that_a_write_failed_to(&orders);
    allow(&cluster.bootstrap(), &orders);
    app.wait_for_more(100);
    let payments = app.topic("payments");
    cluster.forbid(&payments, Operation::Read).unwrap();
    process.wait_until_it_says(&format!("topic `{payments}`, partition"));
    process.wait_until_it_says("allow the app to use the topic");
    allow(&cluster.bootstrap(), &payments);
    feeder.finish();
    app.finish(process, "data");
}

/// With the same results as if it may be seen (`undisturbed.rs`).
#[test]
fn a_process_learns_a_record_limit_that_it_may_not_see_and_dead_letters_larger_records() {
    let Some(mut cluster) = own_broker(Options { acls: true, ..crate::harness::options() }) else { return };
    let shape = Shape { seed: 33, orders: 4_000, giants: Some((500, 40_000)) };
    let app =
        App::new(&cluster.bootstrap(), "unseen", shape, Settings { largest_order: 20_000, ..Settings::default() });
    cluster.forbid(&app.topic("orders"), Operation::DescribeConfigs).unwrap();
    app.feed_all();
    let process = app.start("data");
    process.wait_until_it_says("the topic's `max.message.bytes` may not be seen");
    app.finish(process, "data");
}

//! The demo on Kafka, and a reset of its app.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use insta::assert_snapshot;

use support::{Place, Running, guest_named, repository, sample, until};

const TOPICS: [&str; 4] = ["payment-orders", "stock-orders", "orders", "recovererDLQ"];

/// The results of a demo, without times and places.
fn found(report: &str) -> String {
    let lines = report.lines().skip(3).take_while(|line| !line.contains("Try next"));
    lines.map(|line| line.replace("millrace-demo-", "") + "\n").collect()
}

/// Waits until an instance is running.
fn wait_until_running(run: &mut Running) {
    until("it runs", || run.logged("state")["to"] == "running");
}

/// Those without a repartition topic, in which records of several partitions come in another order each time.
#[test]
fn a_demo_of_the_analytics_finds_the_same_on_kafka() {
    let Some(cluster) = millrace_broker::for_test(millrace_broker::Options::default()).unwrap() else { return };
    let (bootstrap, place) = (cluster.bootstrap(), Place::new());
    for (demo, name) in [("fraud", "fraud-scoring"), ("activity", "customer-activity")] {
        let component = format!("{}.wasm", name.replace('-', "_"));
        place.write(&component, guest_named(&component));
        for (folder, extension) in [("pipelines", "toml"), ("samples", "jsonl")] {
            let file = format!("{name}.{extension}");
            place.write(&file, std::fs::read(repository().join(folder).join(&file)).unwrap());
        }
        let demo = format!("demo {demo} --pipeline {name}.toml --in {name}.jsonl --data demo");
        let embedded = found(&place.millrace(&demo).good());
        assert!(embedded.contains("Dead letters by reason"), "{embedded}");
        assert_eq!(found(&place.millrace(&format!("{demo} --kafka {bootstrap}")).good()), embedded);
    }
}

#[test]
fn the_demo_on_kafka_has_the_results_of_the_embedded_one_however_often_it_runs() {
    let Some(cluster) = millrace_broker::for_test(millrace_broker::Options::default()).unwrap() else { return };
    let bootstrap = cluster.bootstrap();
    let place = Place::new();
    let files = format!("--pipeline orders.toml --in {}", repository().join("samples/orders.jsonl").display());
    let embedded = found(&place.millrace(&format!("demo {files} --data demo")).good());
    assert!(embedded.contains("Dead letters by reason"), "{embedded}");
    for _ in 0..2 {
        let report = place.millrace(&format!("demo {files} --data demo --kafka {bootstrap}")).good();
        assert_eq!(found(&report), embedded);
    }

    let refused = ["topic list --data demo", "topic write orders --data demo", "run orders.toml --data demo"];
    let refused = refused.map(|words| place.millrace(words).bad()).join("\n");
    assert_snapshot!(refused, @"
    exit 1: error: demo: it belongs to the app `millrace-demo`, whose log is on Kafka: say --kafka BOOTSTRAP
    exit 1: error: demo: it belongs to the app `millrace-demo`, whose log is on Kafka: say --kafka BOOTSTRAP
    exit 1: error: demo: it belongs to the app `millrace-demo`, whose log is on Kafka: say --kafka BOOTSTRAP
    ");
    let row = place.millrace("table get orders 42 --data demo").good();
    assert!(row.starts_with(r#"{"key":42,"value":{"id":42,"#), "{row}");
    let topics = place.millrace(&format!("topic list --kafka {bootstrap}")).good();
    assert!(topics.contains("\nmillrace-demo-orders-changelog "), "{topics}");

    let reset = |words: &str| place.millrace(&format!("reset {words} --kafka {bootstrap}"));
    place.millrace(&format!("demo {files} --data embedded")).good();
    let refused = ["millrace-demo --data embedded --yes", "orders --data demo --yes"];
    let refused = refused.map(|words| reset(words).bad()).join("\n");
    assert_snapshot!(refused, @"
    exit 1: error: embedded: it holds an embedded log, and nothing of an app on Kafka
    exit 1: error: demo: it belongs to the app `millrace-demo`, and not to `orders`
    ");
    assert_snapshot!(reset("millrace-demo --data demo").bad(), @"
    exit 1: error: there is no terminal to ask on: say --yes; nothing was deleted
    standard output: To be deleted:
      committed offsets of the group `millrace-demo`
      internal topic `millrace-demo-meta-changelog`
      internal topic `millrace-demo-orders-changelog`
      internal topic `millrace-demo-resolve-window-changelog`
      internal topic `millrace-demo-control`
      state in demo
    What the app reads from others and writes for others stays, its dead letters too.
    ");
    assert_snapshot!(reset("millrace-demo --data demo --yes").good(), @"
    To be deleted:
      committed offsets of the group `millrace-demo`
      internal topic `millrace-demo-meta-changelog`
      internal topic `millrace-demo-orders-changelog`
      internal topic `millrace-demo-resolve-window-changelog`
      internal topic `millrace-demo-control`
      state in demo
    What the app reads from others and writes for others stays, its dead letters too.
    deleted: `millrace-demo` starts anew, with the first records of its inputs
    ");
    assert!(!place.path("demo").exists());
    assert_snapshot!(reset("millrace-demo --data demo --yes").good(), @"nothing to reset: there is nothing of the app `millrace-demo`");
    let topics = place.millrace(&format!("topic list --kafka {bootstrap}")).good();
    let topics: Vec<_> = topics.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(
        topics,
        ["orders", "payment-orders", "recovererDLQ", "stock-orders"].map(|name| format!("millrace-demo-{name}"))
    );
}

#[test]
fn a_running_app_is_not_reset_and_an_app_after_a_reset_reads_its_input_again() {
    let Some(cluster) = millrace_broker::for_test(millrace_broker::Options::default()).unwrap() else { return };
    let at = format!("--kafka {}", cluster.bootstrap());
    let place = Place::new();
    for topic in TOPICS {
        place.millrace(&format!("topic create {topic} --partitions 2 --config retention.ms=-1 {at}")).good();
    }
    let written = place.millrace_with(&format!("topic write --key i64 {at}"), &sample());
    assert_eq!(written.code, Some(0), "{}", written.err);
    let refused =
        place.millrace(&format!("run orders.toml --data data --until-idle --set commit-interval=1h {at}")).bad();
    assert!(refused.contains("\nerror: `commit-interval` is 3600000 ms, and"), "{refused}");
    place.millrace(&format!("run orders.toml --data data --until-idle {at}")).good();
    let mut run = place.start(&format!("run orders.toml --data data {at}"));
    wait_until_running(&mut run);
    let row = || place.millrace("table get orders 42 --data data");
    let before = row().good();
    let refused = place.millrace(&format!("reset orders --data data --yes {at}")).bad();
    assert!(refused.starts_with("exit 1: error: processes of `orders` are running: orders-"), "{refused}");
    assert_eq!(run.terminate().code(), Some(0));

    let decided = || place.millrace(&format!("topic read orders {at}")).good().lines().count();
    let once = decided();
    let said = place.millrace(&format!("reset orders --data data --yes {at}")).good();
    assert!(said.ends_with("deleted: `orders` starts anew, with the first records of its inputs\n"), "{said}");
    assert!(!place.path("data").exists());
    place.millrace(&format!("run orders.toml --data data --until-idle {at}")).good();
    assert_eq!(row().good(), before);
    assert!(decided() > once, "it has decided again");
}

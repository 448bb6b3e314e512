//! Data folders: the app that owns one, and the traces of a start that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use insta::assert_snapshot;
use millrace_cli::data;
use serde_json::Value;

use support::{Place, guest, guest_named};

const RUN: &str = "run orders.toml --data data --until-idle";

/// The recorded deployment of the rule.
fn generation(place: &Place) -> u64 {
    let (_, log) = data::open_to_read(&place.path("data")).unwrap();
    let record = log.control(b"deployment/orders/order-status").unwrap().unwrap();
    serde_json::from_slice::<Value>(&record).unwrap()["generation"].as_u64().unwrap()
}

#[test]
fn a_folder_of_one_app_is_refused_to_another() {
    let place = Place::new();
    place.millrace(RUN).good();
    place.write("sales.toml", place.read("orders.toml").replace("app = \"orders\"", "app = \"sales\""));
    let refused = place.millrace("run sales.toml --data data --until-idle");
    assert_snapshot!(refused.bad(), @"exit 1: error: the folder belongs to app `orders`; use another --data for `sales`");
    place.millrace("run sales.toml --data other --until-idle").good();
    place.millrace(RUN).good();
}

#[test]
fn a_run_warns_of_a_topic_whose_key_codec_changes() {
    let place = Place::new();
    place.millrace("topic create payment-orders --data data --key string").good();
    let said = place.millrace(RUN);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let warned: Vec<_> =
        said.err.lines().filter(|line| line.contains("changes how the keys of a topic are encoded")).collect();
    assert!(matches!(warned[..], [line] if line.contains("payment-orders")), "{warned:?}");
    assert!(!place.millrace(RUN).err.contains("changes how the keys of a topic are encoded"));
}

#[test]
fn a_run_warns_of_a_missing_input_if_the_log_has_other_topics() {
    let place = Place::new();
    let warned = |place: &Place| -> Vec<[String; 2]> {
        let said = place.millrace(RUN);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let lines = said.err.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines =
            lines.filter(|line| line["fields"]["message"].as_str().unwrap().contains("a topic that didn't exist"));
        lines.map(|line| [&line["fields"]["topic"], &line["fields"]["nearest"]].map(Value::to_string)).collect()
    };
    let none: [[String; 2]; 0] = [];
    let of = |topic: &str, nearest: &str| [[topic.to_owned(), nearest.to_owned()]];
    assert_eq!(warned(&place), none);
    let pipeline = place.read("orders.toml");
    place.write("orders.toml", pipeline.replace("topic = \"stock-orders\"", "topic = \"stock-order\""));
    assert_eq!(warned(&place), of("\"stock-order\"", "\"stock-orders\""));
    assert_eq!(warned(&place), none);
    place.write("orders.toml", pipeline.replace("topic = \"stock-orders\"", "topic = \"shelves\""));
    assert_eq!(warned(&place), of("\"shelves\"", "null"));
}

#[test]
fn a_run_without_kafka_warns_that_set_threads_has_no_effect() {
    let place = Place::new();
    let words = "`--set threads` has no effect without --kafka: the embedded driver has one thread";
    assert!(!place.millrace(RUN).err.contains(words));
    let said = place.millrace(&format!("{RUN} --set threads=4"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains(words), "{}", said.err);
}

#[test]
fn a_folder_with_only_harmless_files_becomes_a_data_folder() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("data/lost+found")).unwrap();
    std::fs::create_dir_all(place.path("data/inbox")).unwrap();
    place.write("data/.keep", "");
    place.millrace(RUN).good();
    place.write("data/notes.txt", "it is ours by now");
    place.millrace(RUN).good();
    place.millrace("topic create more --data data").good();
}

#[test]
fn a_topic_that_exists_keeps_its_key_codec() {
    let place = Place::new();
    place.millrace("topic create numbers --data data --key i64").good();
    place.millrace_with("topic write --data data", "{\"topic\":\"numbers\",\"key\":7,\"value\":1}\n").good();
    place.millrace("topic create numbers --data data").good();
    assert!(place.millrace("topic read numbers --data data").good().contains("\"key\":7"));
    place.millrace("topic create numbers --data data --key i64").good();
    assert_snapshot!(place.millrace("topic create numbers --data data --key string").bad(), @"exit 1: error: topic `numbers` exists, and its keys are i64, not string: leave --key out, or take another name");
}

#[test]
fn a_start_that_fails_leaves_the_folder_unchanged() {
    let place = Place::new();
    place.millrace(RUN).good();
    place.millrace("topic create other-in --data data --partitions 2 --key i64").good();
    let pipeline = place.read("orders.toml");
    place.write("orders.toml", pipeline.replace("topic = \"stock-orders\"", "topic = \"other-in\""));
    // A custom section at the end, named `note`, makes another component of the same code.
    place.write("order_status.wasm", guest().into_iter().chain(*b"\0\x05\x04note").collect::<Vec<_>>());
    assert_snapshot!(place.millrace(RUN).bad(), @"exit 1: error: `resolve` reads topics that must have the same number of partitions, and `payment-orders` has 1 partition, `other-in` has 2 partitions");
    assert_eq!(generation(&place), 1);
    place.write("orders.toml", pipeline);
    place.write("order_status.wasm", guest());
    place.millrace(RUN).good();
    assert_eq!(generation(&place), 1);
}

/// A pipeline that counts the records of each key in windows of a minute.
const COUNTS: &str = "app = \"counts\"\n[plugins.operators]\ncomponent = \"operators.wasm\"\n[[source]]\nname = \"in\"\n\
    topic = \"in\"\nkey = \"i64\"\n[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\ncall = \"operators.counts\"\n\
    window = { tumbling = \"1m\" }\n[[sink]]\nfrom = \"sums\"\ntopic = \"out\"\n";

#[test]
fn a_step_with_other_windows_than_its_state_is_refused_and_a_renamed_step_is_warned_of() {
    let place = Place::new();
    place.write("operators.wasm", guest_named("operators.wasm"));
    place.write("counts.toml", COUNTS);
    const COUNT: &str = "run counts.toml --data counts --until-idle";
    place.millrace("topic create in --data counts --key i64").good();
    let record = r#"{"topic":"in","key":7,"value":{"id":1,"amount":5},"timestamp":1700000000000}"#;
    place.millrace_with("topic write --data counts", record).good();
    place.millrace(COUNT).good();
    let said = place.millrace(&format!("{COUNT} --set sums.window={{tumbling=\"5m\"}}")).bad();
    assert_snapshot!(said, @"exit 1: error: step `sums`: there is state in its store `sums` of an aggregate by `counts` with tumbling windows of 1m, and now it is an aggregate by `counts` with tumbling windows of 5m: entries of the one would be taken for entries of the other. Make the step what it was, or give it another name, under which it begins with empty state; or start anew in another folder (--data)");
    for window in ["{session=\"1m\"}", "{tumbling=\"1m\"} --set sums.emit=final"] {
        let said = place.millrace(&format!("{COUNT} --set sums.window={window}")).bad();
        assert!(said.contains("there is state in its store `sums`"), "{said}");
    }
    // Grace decides how long a window lives, and not what it is.
    place.millrace(&format!("{COUNT} --set sums.grace=10m")).good();

    place.write("counts.toml", COUNTS.replace("\"sums\"", "\"totals\""));
    let said = place.millrace(COUNT);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let told: Vec<_> = said.err.lines().filter(|line| line.contains("no step uses this state")).collect();
    assert!(matches!(told[..], [line] if line.contains("sums")), "{}", said.err);
}

#[test]
fn commands_find_the_default_data_folder_and_list_the_folders_if_there_are_several() {
    let place = Place::new();
    assert_snapshot!(place.millrace("topic read orders").bad(), @"exit 1: error: there is no data folder under .millrace, where `millrace run` makes one: say --data DIR, or --kafka BOOTSTRAP for a cluster");
    place.millrace("run orders.toml --until-idle").good();
    let line = r#"{"topic":"orders","key":1,"value":{"id":1},"timestamp":1}"#;
    place.millrace_with("topic write", line).good();
    place.millrace("run orders.toml --until-idle").good();
    assert!(place.millrace("topic read orders").good().contains(r#""value":{"id":1}"#));
    assert!(place.millrace("topic list").good().contains("payment-orders"));
    assert_eq!(place.millrace("table get orders 1").good(), place.millrace("table scan orders").good());

    place.millrace("run orders.toml --data .millrace/other --until-idle").good();
    let refused = ["topic read orders", "table scan orders"].map(|words| place.millrace(words).bad());
    assert_snapshot!(refused.join("\n"), @"
    exit 1: error: there are several data folders: say --data .millrace/orders or --data .millrace/other
    exit 1: error: there are several data folders: say --data .millrace/orders or --data .millrace/other
    ");
}

//! Headers are bytes, may come twice, and be many or null.

use millrace_broker::{Operation, Options};
use serde_json::{Value, json};

use crate::harness::{Process, options, own_broker};
use crate::support::{Place, guest_named};

const PIPELINE: &str = r#"
app = "headers"
dlq = "headers-dead"

[plugins.operators]
component = "operators.wasm"

[[source]]
name = "left"
topic = "headers-left"
key = "i64"

[[source]]
name = "right"
topic = "headers-right"
key = "i64"

[[sink]]
from = "left"
topic = "headers-passed"

[[sink]]
from = "left"
topic = "headers-small"

[[join]]
name = "paired"
kind = "left"
left = "left"
right = "right"
within = "1m"
call = "operators.pair"

[[sink]]
from = "paired"
topic = "headers-joined"
"#;

/// Keys with the headers of their records, as `topic read` shows them.
fn inputs() -> Vec<(i64, Value)> {
    let odd = json!([[{ "base64": "//4=" }, "x"], ["", "without a name"], ["a", "1"], ["a", { "base64": "/w==" }], ["a", null], ["a", ""]]);
    let many: Vec<Value> = (0..10_000).map(|number| json!([format!("h{}", number % 3), "v"])).collect();
    vec![(1, odd.clone()), (2, json!({ "only": "one" })), (3, many.into()), (4, odd), (5, Value::Null)]
}

fn line(topic: &str, (key, headers): &(i64, Value)) -> String {
    let note = "x".repeat(if *key == 4 { 40_000 } else { 0 });
    let value = json!({ "id": key, "note": note });
    let timestamp = 1_700_000_000_000 + key;
    let mut line = json!({ "topic": topic, "partition": 0, "key": key, "value": value, "timestamp": timestamp });
    if !headers.is_null() {
        line["headers"] = headers.clone();
    }
    format!("{line}\n")
}

/// The records of a topic: keys with headers.
fn read(place: &Place, topic: &str, kafka: &str) -> Vec<(i64, Value)> {
    let lines = place.millrace(&format!("topic read {topic} --key i64 {kafka}")).good();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut read: Vec<_> = lines.map(|line| (line["key"].as_i64().unwrap(), line["headers"].clone())).collect();
    read.sort_by_key(|(key, _)| *key);
    read
}

/// Also if a topic has a lower limit that the process may not see: it learns the limit from refused records.
#[test]
fn headers_of_all_kinds_come_through_unchanged() {
    let Some(mut cluster) = own_broker(Options { acls: true, ..options() }) else { return };
    let (place, kafka) = (Place::new(), format!("--kafka {}", cluster.bootstrap()));
    place.write("operators.wasm", guest_named("operators.wasm"));
    place.write("headers.toml", PIPELINE);
    for topic in ["left", "right", "passed", "joined", "copy"] {
        place.millrace(&format!("topic create headers-{topic} --config retention.ms=-1 {kafka}")).good();
    }
    let small = "headers-small --config retention.ms=-1 --config max.message.bytes=20000";
    place.millrace(&format!("topic create {small} {kafka}")).good();
    cluster.forbid("headers-small", Operation::DescribeConfigs).unwrap();
    let inputs = inputs();
    for topic in ["headers-left", "headers-right"] {
        let lines: String = inputs.iter().map(|input| line(topic, input)).collect();
        place.millrace_with(&format!("topic write --key i64 {kafka}"), &lines).good();
    }

    let command = place.command(&format!("run headers.toml {kafka} --data data --until-idle"));
    let mut process = Process::start(command, &place.path("process.log"));
    assert_eq!(process.wait().code(), Some(0), "{:?}", process.entries());

    assert_eq!(read(&place, "headers-left", &kafka), inputs);
    assert_eq!(read(&place, "headers-passed", &kafka), inputs);
    assert_eq!(read(&place, "headers-joined", &kafka), inputs);
    let (large, fitting): (Vec<_>, Vec<_>) = inputs.iter().cloned().partition(|(key, _)| [3, 4].contains(key));
    assert_eq!(read(&place, "headers-small", &kafka), fitting);
    let dead: Vec<_> = read(&place, "headers-dead", &kafka).into_iter().map(|(key, _)| key).collect();
    assert_eq!(dead, large.iter().map(|(key, _)| *key).collect::<Vec<_>>());

    let all = place.millrace(&format!("topic read headers-left --key i64 {kafka}")).good();
    let copied = all.replace("headers-left", "headers-copy");
    place.millrace_with(&format!("topic write --key i64 {kafka}"), &copied).good();
    assert_eq!(place.millrace(&format!("topic read headers-copy --key i64 {kafka}")).good(), copied);
}

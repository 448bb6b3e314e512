//! Keys in partitions of another partitioner.

use crate::harness::{Plain, shared_broker};

/// A step with state that reads two topics, and a table.
const PIPELINE: &str = r#"
app = "APP"
[[source]]
name = "good"
topic = "APP-good"
key = "string"
[[source]]
name = "odd"
topic = "APP-odd"
key = "string"
[[merge]]
name = "both"
from = ["good", "odd"]
[[dedup]]
name = "once"
from = "both"
within = "1h"
by = ["field:id"]
[[sink]]
from = "once"
topic = "APP-out"
[[table]]
name = "rows"
topic = "APP-rows"
key = "string"
"#;

#[test]
fn a_topic_with_keys_of_another_partitioner_is_named_and_its_rows_are_found() {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, "spread", PIPELINE, &[("good", 4), ("odd", 4), ("rows", 4), ("out", 1)]);
    let line = |value: i64| format!(r#"{{"key":"{value}","value":{{"id":{value}}}}}"#);
    app.write_lines("good", "string", (0..20).map(line));
    for value in 20..40 {
        app.write("odd", (value % 4) as i32, [value]);
        app.write("rows", (value % 4) as i32, [value]);
    }
    let process = app.start("data");
    app.wait_for("out", |found| found.len() == 40);
    let hints = process.entries().into_iter().filter(|entry| entry["expected"].is_number());
    let named: Vec<_> = hints.map(|hint| (hint["topic"].clone(), hint["step"].clone())).collect();
    assert_eq!(named, [("spread-odd".into(), "once".into())], "once, and for no topic whose keys needn't meet others");
    for value in 20..40 {
        let found = app.command(&format!("table get rows {value} --data data")).output().unwrap();
        assert!(found.status.success(), "{value}: {}", String::from_utf8_lossy(&found.stderr));
    }
    process.stop();
}

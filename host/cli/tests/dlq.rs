//! `millrace dlq`: groups, lists, shows and exports dead letters, those of Millrace and of other systems.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use support::{Place, sample};

/// The orders pipeline after its sample, with 56 dead letters.
fn orders() -> Place {
    let place = Place::new();
    place.create_topics("data", 2);
    assert_eq!(place.millrace_with("topic write --data data", &sample()).code, Some(0));
    place.millrace("run orders.toml --data data --until-idle").good();
    place
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn letters_are_counted_by_step_code_and_text() {
    let place = orders();
    let groups = lines(&place.millrace("dlq groups recovererDLQ --data data --json").good());
    let letters: u64 = groups.iter().map(|group| group["letters"].as_u64().unwrap()).sum();
    assert_eq!((letters, groups.len()), (56, 24));
    let first = &groups[0];
    assert_eq!(first["pattern"], "left value (payment): expected `` at line # column #");
    assert_eq!(
        (&first["step"], &first["code"], &first["letters"]),
        (&"resolve".into(), &"bad-value".into(), &8.into())
    );
    assert_eq!(first["samples"].as_array().unwrap().len(), 3);

    let of =
        |filter: &str| lines(&place.millrace(&format!("dlq list recovererDLQ --data data --json {filter}")).good());
    let id = first["group"].as_str().unwrap();
    assert_eq!(of(&format!("--group {id}")).len(), 8);
    assert_eq!(of("--code bad-key").len(), 10);
    assert_eq!(of("--code bad-key --step stock").len(), 5);
    assert_eq!(of("--since 1h").len(), 56);
    assert_eq!(of("--until 1h").len(), 0);
    assert_eq!(of("--limit 7").len(), 7);
    let digest = first["digests"][0].as_str().unwrap();
    let by_digest = of(&format!("--digest {}", &digest[..8]));
    assert!(!by_digest.is_empty() && by_digest.iter().all(|letter| letter["plugin"] == "order-status"));
    let text = place.millrace("dlq groups recovererDLQ --data data --step orders").good();
    assert!(text.starts_with("1 letter of group "), "{text}");
    assert_eq!(place.millrace("dlq groups recovererDLQ --data data --step nothing").good(), "no letters\n");
}

#[test]
fn exported_records_fail_again_in_the_same_way() {
    let place = orders();
    let exported = place.millrace("dlq export recovererDLQ --data data").good();
    assert_eq!(exported.lines().count(), 56);
    assert!(
        !exported.contains("millrace-") && !exported.contains("kafka_dlt-"),
        "headers about the failure stay behind"
    );
    let texts = |place: &Place, data: &str| {
        let letters = lines(&place.millrace(&format!("dlq list recovererDLQ --data {data} --json")).good());
        let texts =
            letters.iter().map(|it| format!("{} {} {} {}", it["step"], it["code"], it["text"], it["record"]["value"]));
        let mut texts: Vec<_> = texts.collect();
        texts.sort();
        texts
    };
    place.create_topics("again", 2);
    assert_eq!(place.millrace_with("topic write --data again", &exported).code, Some(0));
    place.millrace("run orders.toml --data again --until-idle").good();
    let (first, again) = (texts(&place, "data"), texts(&place, "again"));
    // Records that failed as a pair need the other side, which isn't a letter.
    assert!(again.len() > 20 && again.iter().all(|text| first.contains(text)), "{again:#?}");
}

#[test]
fn a_letter_is_shown_with_its_record_digit_by_digit() {
    let place = orders();
    let list = place.millrace("dlq list recovererDLQ --data data --code bad-key --limit 1").good();
    let id = list.split("  ").next().unwrap();
    let shown = place.millrace(&format!("dlq show {id} --data data")).good();
    assert!(shown.starts_with(&format!("letter {id}, of millrace\n  step      ")), "{shown}");
    assert!(shown.contains("\"price\":19.90"), "{shown}");
    let json = place.millrace(&format!("dlq show {id} --data data --json")).good();
    assert!(json.contains("\"price\":19.90") && json.contains("\"attempts\":1"), "{json}");
    let gone = place.millrace("dlq show recovererDLQ:0:999 --data data").bad();
    assert!(gone.contains("there is no record at offset 999 of partition 0 of the topic `recovererDLQ`"), "{gone}");
    let wrong = place.millrace("dlq show recovererDLQ --data data").bad();
    assert!(wrong.starts_with("exit 2: ") && wrong.contains("expected `topic:partition:offset`"), "{wrong}");
    assert!(place.millrace("dlq groups nowhere --data data").bad().contains("there is no topic `nowhere`"));
}

/// Letters of other systems about the record `orders:0:1`, one in each format.
fn foreign() -> Vec<Value> {
    let letter = |headers: Value| json!({"topic": "letters", "key": "k", "value": {"n": 1.50}, "timestamp": 9, "headers": headers});
    vec![
        letter(json!({
            "__streams.errors.exception": "org.apache.kafka.common.errors.SerializationException: byte 7",
            "__streams.errors.message": "byte 7 isn't readable", "__streams.errors.stacktrace": "at x",
            "__streams.errors.topic": "orders", "__streams.errors.partition": "0", "__streams.errors.offset": "1",
        })),
        letter(json!({
            "kafka_dlt-original-topic": "orders", "kafka_dlt-original-partition": 0, "kafka_dlt-original-offset": 1,
            "kafka_dlt-original-timestamp": 5, "kafka_dlt-original-consumer-group": "shop",
            "kafka_dlt-exception-fqcn": "ListenerExecutionFailedException",
            "kafka_dlt-exception-cause-fqcn": "java.lang.IllegalStateException", "kafka_dlt-exception-message": "order 7",
        })),
        letter(json!({
            "__connect.errors.topic": "orders", "__connect.errors.partition": "0", "__connect.errors.offset": "1",
            "__connect.errors.connector.name": "sink", "__connect.errors.task.id": "0",
            "__connect.errors.stage": "VALUE_CONVERTER", "__connect.errors.exception.class.name": "DataException",
            "__connect.errors.exception.message": "line 3",
        })),
        json!({"topic": "letters", "key": null, "value": null, "timestamp": 9, "headers": {
            "__dlq.errors.topic": "orders", "__dlq.errors.partition": "0", "__dlq.errors.offset": "1",
            "__dlq.errors.group": "workers", "__dlq.errors.delivery.count": "5", "__dlq.errors.message": "gave up",
        }}),
        json!({"topic": "letters", "key": null, "value": null, "timestamp": 9, "headers": {
            "__dlq.errors.topic": "orders", "__dlq.errors.partition": "0", "__dlq.errors.offset": "99",
            "__dlq.errors.group": "workers", "__dlq.errors.delivery.count": "5", "__dlq.errors.message": "gave up",
        }}),
    ]
}

#[test]
fn letters_of_other_systems_are_read_and_pointers_lead_to_their_records() {
    let place = Place::new();
    for topic in ["orders", "letters"] {
        place.millrace(&format!("topic create {topic} --data data --key string")).good();
    }
    let record = |n: u64| json!({"topic": "orders", "key": format!("o{n}"), "value": {"n": n}, "timestamp": n});
    let records = [record(0), record(1)].into_iter().chain(foreign());
    let written: String = records.map(|record| format!("{record}\n")).collect();
    assert_eq!(place.millrace_with("topic write --data data", &written).code, Some(0));

    let letters = lines(&place.millrace("dlq list letters --data data --json").good());
    let said: Vec<_> =
        letters.iter().map(|it| format!("{} {} {} {}", it["format"], it["step"], it["code"], it["text"])).collect();
    assert_eq!(
        said,
        [
            r#""kafka-streams" "" "org.apache.kafka.common.errors.SerializationException" "byte 7 isn't readable""#,
            r#""spring" "shop" "java.lang.IllegalStateException" "order 7""#,
            r#""connect" "VALUE_CONVERTER" "DataException" "line 3""#,
            r#""share-group" "workers" "" "gave up""#,
            r#""share-group" "workers" "" "gave up""#,
        ]
    );
    for letter in &letters {
        assert_eq!((&letter["source"]["topic"], &letter["source"]["partition"]), (&"orders".into(), &0.into()));
    }
    let own: BTreeMap<_, _> = letters.iter().map(|it| (it["id"].as_str().unwrap(), &it["record"]["headers"])).collect();
    assert!(own.values().all(|headers| headers.is_null()), "{own:?}");

    let shown = place.millrace("dlq show letters:0:3 --data data").good();
    assert!(shown.contains("  original  the letter has no record; this one is from orders:0:1\n"), "{shown}");
    assert!(shown.contains("  key       o1\n") && shown.contains("  value     {\"n\":1}\n"), "{shown}");
    let shown = place.millrace("dlq show letters:0:4 --data data").good();
    assert!(shown.contains("the one at orders:0:99 is gone: retention has deleted it"), "{shown}");

    let export = place.millrace("dlq export letters --data data --limit 3").good();
    let first: Value = serde_json::from_str(export.lines().next().unwrap()).unwrap();
    assert_eq!(first, json!({"topic": "orders", "partition": 0, "key": "k", "value": {"n": 1.50}, "timestamp": 9}));
    let all = place.millrace("dlq export letters --data data");
    assert_eq!((all.code, all.out.lines().count()), (Some(1), 3), "{all:?}");
    assert!(all.err.contains("letter letters:0:3 has no record but its place only"), "{all:?}");
    assert!(all.err.contains("2 of the letters have no record that can be exported"), "{all:?}");
}

#[test]
fn the_commands_of_the_page_about_dead_letters_do_what_it_says() {
    let page = std::fs::read_to_string(support::repository().join("docs/errors.md")).unwrap();
    let commands: Vec<_> = page.lines().filter(|line| line.starts_with("millrace ")).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    let place = orders();
    let groups = lines(&place.millrace("dlq groups recovererDLQ --data data --json --step resolve").good());
    let id = groups[0]["samples"][0]["id"].as_str().unwrap();
    let said = commands.iter().map(|command| {
        let command = command.replace("--kafka broker-1:9092", "--data data").replace("recovererDLQ:0:4", id);
        place.millrace(command.strip_prefix("millrace ").unwrap()).good()
    });
    let starts = ["8 letters of group ", "recovererDLQ:0:", "letter recovererDLQ:", "{\"topic\":\""];
    for (said, start) in said.zip(starts) {
        assert!(said.starts_with(start), "{start}: {said}");
    }
}

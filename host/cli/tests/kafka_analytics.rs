//! The five pipelines of the analytics as one app on a real broker, in two processes with three threads each: although
//! they are killed again and again, the app must have the output of a replay of the same input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use support::{
    Dice, Place, assert_same, by_topic, guest_named, keyed, kill_after, last, repository, start_unread,
    wait_for_success,
};

const PIPELINES: [&str; 5] =
    ["customer-activity", "order-enrichment", "fraud-scoring", "recommendations", "dynamic-pricing"];

const INPUTS: [&str; 5] =
    ["bss.customer.events", "bss.order.events", "bss.customer.info", "bss.payment.events", "bss.product.views"];

/// Topics whose records of a key must be equal in their order.
const ORDERED: [&str; 7] = [
    "bss.customer.activity.aggregated",
    "bss.customer.sessions",
    "bss.orders.enriched",
    "bss.orders.highvalue",
    "bss.fraud.alerts",
    "bss.fraud.high-risk",
    "bss.recommendations",
];

/// Topics behind a repartition topic, in which the records of several partitions come in another order each time: the last
/// record of each key must be equal.
const LAST: [&str; 3] = ["bss.orders.region.trend", "bss.products.trending", "bss.pricing.recommendations"];

const DEAD_LETTERS: &str = "bss-analytics-streams-dlq";

const PARTITIONS: u64 = 3;

/// Customers of a partition.
const CUSTOMERS: u64 = 5;

/// Rounds of input in a partition: in each, one record for each topic.
const ROUNDS: u64 = 500;

/// 2024-05-01T10:00:00Z. All records are in one window of a quarter of an hour, so that none is late behind a repartition
/// topic.
const START: u64 = 1_714_557_600_000;
const QUARTER: u64 = 15 * 60_000;

const KILLS: u32 = 10;

/// How long the last processes may take.
const PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn all_five_pipelines_have_the_output_of_a_replay_although_processes_are_killed() {
    let Some(cluster) = millrace_broker::for_test(millrace_broker::Options::default()).unwrap() else { return };
    let (place, kafka) = (Place::new(), format!("--kafka {}", cluster.bootstrap()));
    for name in PIPELINES {
        let file = format!("{name}.toml");
        place.write(&file, std::fs::read(repository().join("pipelines").join(&file)).unwrap());
        let component = format!("{}.wasm", name.replace('-', "_"));
        place.write(&component, guest_named(&component));
    }
    for topic in INPUTS.iter().chain(&ORDERED).chain(&LAST) {
        let settings = format!("--partitions {PARTITIONS} --config retention.ms=-1 {kafka}");
        place.millrace(&format!("topic create {topic} {settings}")).good();
    }
    let input = input();
    place.millrace_with(&format!("topic write --key string {kafka}"), &input).good();

    kill_and_finish(&place, &kafka);

    let sources = ["customer-events", "views", "order-events", "customer-info", "payments"];
    let partitions = sources.map(|source| format!("--set {source}.partitions={PARTITIONS}")).join(" ");
    let replayed = place.millrace_with(&format!("replay {} {partitions}", files()), &input).good();
    let expected = by_topic(replayed.lines());
    for topic in ORDERED.iter().chain(&LAST) {
        let found = read(&place, topic, &kafka);
        let expected = expected.get(*topic).cloned().unwrap_or_default();
        assert!(!expected.is_empty(), "nothing was to come out to {topic}: the test shows nothing");
        let seen = if ORDERED.contains(topic) { keyed } else { last };
        assert_same(topic, &seen(&without_partition(&expected)), &seen(&without_partition(&found)));
        assert_eq!(found.len(), expected.len(), "{topic}");
    }
    let letters = letters(&expected[DEAD_LETTERS]);
    for topic in INPUTS {
        assert!(letters.iter().any(|letter| letter.contains(topic)), "no dead letter of {topic}: the test shows less");
    }
    assert_eq!(letters, self::letters(&read(&place, DEAD_LETTERS, &kafka)));
}

fn read(place: &Place, topic: &str, kafka: &str) -> Vec<Value> {
    let lines = place.millrace(&format!("topic read {topic} --key string {kafka}")).good();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Dead letters in the order of their texts: the place of the record, the step, the reason, key and value.
fn letters(records: &[Value]) -> Vec<String> {
    let text = |record: &Value| {
        let header = |name: &str| record["headers"][name].to_string();
        let place = ["topic", "partition", "offset"].map(|part| header(&format!("kafka_dlt-original-{part}")));
        let reason = ["millrace-step", "millrace-error-code"].map(header);
        format!("{} {} {} {}", place.join(" "), reason.join(" "), record["key"], record["value"])
    };
    let mut letters: Vec<String> = records.iter().map(text).collect();
    letters.sort();
    letters
}

/// In a replay, topics that are only written have one partition.
fn without_partition(records: &[Value]) -> Vec<Value> {
    let mut records = records.to_vec();
    records.iter_mut().for_each(|record| record["partition"] = Value::Null);
    records
}

fn files() -> String {
    PIPELINES.map(|name| format!("{name}.toml")).join(" ")
}

/// Has two processes running, kills one of them often enough, then lets them process the rest.
fn kill_and_finish(place: &Place, kafka: &str) {
    let start = |data: &str| {
        let words = format!("run {} --data {data} --until-idle {kafka}", files());
        start_unread(place.command(&words))
    };
    let (mut dice, mut hits) = (Dice::new(3), 0);
    let mut processes = ["one", "two"].map(|data| (data, start(data)));
    for _ in 0..KILLS {
        let (data, process) = &mut processes[dice.below(2) as usize];
        hits += u32::from(kill_after(process, Duration::from_millis(1_000 + dice.below(2_500))));
        *process = start(data);
    }
    eprintln!("{hits} of {KILLS} kills hit a process that had work");
    assert!(hits > 2, "only {hits} kills hit a process that had work: the test shows little");
    processes.iter_mut().for_each(|(_, process)| wait_for_success(process, PATIENCE));
}

/// Lines in an order in which a task on Kafka takes them if all are there when it starts: of its inputs, that with the lowest
/// timestamp at its head. No two topics have the same timestamp.
fn input() -> String {
    let mut dice = Dice::new(5);
    let mut lines = String::new();
    for partition in 0..PARTITIONS {
        let mut topics = INPUTS.map(|topic| stream(topic, partition, &mut dice));
        let head = |topic: &VecDeque<(u64, String)>| topic.front().map_or(u64::MAX, |(time, _)| *time);
        while let Some((_, line)) = topics.iter_mut().min_by_key(|topic| head(topic)).and_then(VecDeque::pop_front) {
            lines.push_str(&line);
        }
    }
    lines
}

/// The records of a topic: in order, but for a few that are late for the windows of five minutes.
fn stream(topic: &str, partition: u64, dice: &mut Dice) -> VecDeque<(u64, String)> {
    let place = INPUTS.iter().position(|input| *input == topic).unwrap() as u64;
    let record = |round: u64| {
        let passed = round * QUARTER / ROUNDS;
        let passed = if dice.below(40) == 0 { passed / 2 } else { passed };
        let time = START + passed / 10 * 10 + place;
        let customer = format!("c-{}", partition * CUSTOMERS + dice.below(CUSTOMERS));
        let value = if dice.below(60) == 0 { json!([]) } else { value(topic, &customer, round, dice) };
        // A payment without a key is a dead letter; other records without one are dropped by some steps. Orders without
        // a key would come out in an order between their partitions that isn't the same each time.
        let has_key = topic == "bss.order.events" || dice.below(60) > 0;
        let customer = if has_key { json!(customer) } else { Value::Null };
        let line = json!({"topic": topic, "partition": partition, "key": customer, "value": value, "timestamp": time});
        (time, format!("{line}\n"))
    };
    (0..ROUNDS).map(record).collect()
}

fn value(topic: &str, customer: &str, round: u64, dice: &mut Dice) -> Value {
    let product = dice.below(12);
    let category = ["books", "coffee", "garden"][dice.below(3) as usize];
    match topic {
        "bss.customer.events" => {
            let kind = ["VIEW", "ADD_TO_CART", "PURCHASE", "SEARCH"][dice.below(4) as usize];
            json!({"eventId": round, "activityType": kind, "category": category})
        }
        "bss.order.events" => {
            let region = ["EU", "NA"][dice.below(2) as usize];
            json!({"orderId": round, "customerId": customer, "productId": format!("p-{product}"), "region": region,
                "amount": 100 * (1 + dice.below(20)), "unitPrice": 10 + product, "status": "NEW"})
        }
        "bss.customer.info" => json!({"customerId": customer, "name": "Ms", "tier": format!("T{}", dice.below(3))}),
        "bss.payment.events" => {
            let place = ["Berlin", "Lagos", "Lima", "Osaka", "Rome"][dice.below(5) as usize];
            json!({"paymentId": format!("{customer}-{round}"), "amount": 1 + dice.below(2_000), "location": place})
        }
        _ => json!({"customerId": customer, "productId": format!("p-{product}"), "category": category}),
    }
}

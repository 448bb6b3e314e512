//! Pausing an input while a task's queue is full.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::harness::{Kafka, PATIENCE, Process, shared_broker, until};
use crate::support::{Place, guest_named};

const PIPELINE: &str = r#"
app = "pausing"
commit-interval = "100ms"

[plugins.operators]
component = "operators.wasm"
limits = { deadline = "60s" }

[[source]]
name = "in"
topic = "pausing-in"

[[transform]]
name = "work"
from = "in"
call = "operators.work"

[[sink]]
from = "work"
topic = "pausing-out"
"#;

/// Large records, of which a few fill a queue.
const LARGE: usize = 20;
const BYTES: usize = 150_000;

/// Rounds of work for about a tenth of a second.
const ROUNDS: usize = 50_000_000;

fn send(producer: &BaseProducer, number: usize, rounds: usize, bytes: usize) {
    let value = format!(r#"{{"number":{number},"rounds":{rounds},"note":"{}"}}"#, "x".repeat(bytes));
    producer.send(BaseRecord::<(), str>::to("pausing-in").partition(0).payload(&value)).unwrap();
}

/// While the task processes one slow record, more records than fit into its queue come and are read to the end of the
/// partition. While it processes these, and the input is paused, others come: reading must go on with the first of
/// them.
#[test]
fn records_that_arrive_while_an_input_is_paused_at_its_end_are_processed() {
    let Some(broker) = shared_broker() else { return };
    let (place, kafka) = (Place::new(), Kafka::new(&broker, "pausing"));
    place.write("operators.wasm", guest_named("operators.wasm"));
    place.write("pausing.toml", PIPELINE);
    for topic in ["pausing-in", "pausing-out"] {
        kafka.create(topic, 1, &[]);
    }
    let command = place.command(&format!("run pausing.toml --kafka {broker} --data data"));
    let mut process = Process::start(command, &place.path("process.log"));
    process.wait_until_running();

    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &broker).create().unwrap();
    let out = || kafka.ends("pausing-out", 1).map_or(0, |ends| ends[0].high);
    send(&producer, 0, 4 * ROUNDS, 0);
    producer.flush(PATIENCE).unwrap();
    (1..=LARGE).for_each(|number| send(&producer, number, ROUNDS, BYTES));
    producer.flush(PATIENCE).unwrap();
    until("it works on the large ones", || out() > 2);
    (LARGE + 1..LARGE + 4).for_each(|number| send(&producer, number, 0, 0));
    producer.flush(PATIENCE).unwrap();

    let end = || kafka.ends("pausing-in", 1).map_or(-1, |ends| ends[0].high);
    until("all is committed", || kafka.positions("pausing-in", 1).is_ok_and(|positions| positions[0] == end()));
    let numbers = kafka.read("pausing-out").remove(0).into_iter().map(|record| {
        let value: serde_json::Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
        value["number"].as_u64().unwrap() as usize
    });
    assert_eq!(numbers.collect::<Vec<_>>(), (0..LARGE + 4).collect::<Vec<_>>());
    process.stop();
}

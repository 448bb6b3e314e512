//! `millrace topic` on a Kafka cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::Write;
use std::process::Stdio;
use std::sync::OnceLock;

use insta::assert_snapshot;
use millrace_broker::Cluster;

use support::{Place, Said, until};

/// The cluster of these tests; `None` if Kafka can't run, and then the test counts as not run.
fn bootstrap() -> Option<String> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let start = || millrace_broker::for_test(millrace_broker::Options::default()).unwrap();
    Some(CLUSTER.get_or_init(start).as_ref()?.bootstrap())
}

/// A place with commands that end in `--kafka ...`.
struct OnKafka {
    place: Place,
    bootstrap: String,
}

impl OnKafka {
    fn new() -> Option<Self> {
        Some(Self { bootstrap: bootstrap()?, place: Place::new() })
    }

    fn good(&self, words: &str) -> String {
        self.place.millrace(&format!("{words} --kafka {}", self.bootstrap)).good()
    }

    fn bad(&self, words: &str) -> String {
        let said = self.place.millrace(&format!("{words} --kafka {}", self.bootstrap)).bad();
        said.replace(&self.bootstrap, "BROKER")
    }

    /// Output of a write.
    fn write(&self, words: &str, input: &str) -> String {
        let said = self.place.millrace_with(&format!("topic write {words} --kafka {}", self.bootstrap), input);
        assert_eq!(said.out, "");
        format!("exit {}: {}", said.code.unwrap(), said.err.trim_end())
    }
}

#[test]
fn topic_read_prints_records_as_topic_write_read_them() {
    let Some(kafka) = OnKafka::new() else { return };
    kafka.good("topic create all --partitions 2 --config retention.ms=-1");
    let records = [
        r#"{"topic":"all","partition":0,"key":7,"value":{"price":19.90,"a":[]},"timestamp":1700000000000}"#,
        r#"{"topic":"all","partition":0,"key":null,"value":null,"timestamp":1}"#,
        r#"{"topic":"all","partition":0,"keyBase64":"AAEC","valueBase64":"/w==","timestamp":2}"#,
        r#"{"topic":"all","partition":1,"key":-7,"valueBase64":"","timestamp":3,"headers":{"a":"","b":null,"c":"Zoë"}}"#,
        r#"{"topic":"all","partition":1,"key":0,"value":"","timestamp":4,"headers":[["a","1"],["a",{"base64":"/w=="}]]}"#,
        r#"{"topic":"all","partition":1,"key":1,"value":1,"timestamp":5,"headers":[[{"base64":"//4="},null],["",""],["a",null]]}"#,
    ];
    let lines = records.map(|line| format!("{line}\n")).concat();
    assert_eq!(kafka.write("--key i64", &lines), "exit 0: 6 records written");
    assert_eq!(kafka.good("topic read all --key i64"), lines);
    let is = |words: &str, expected: &[&str]| {
        let lines = kafka.good(&format!("topic read all --key i64 {words}"));
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected, "{words}");
    };
    is("--partition 1", &records[3..]);
    is("--from 1", &[records[1], records[2], records[4], records[5]]);
    is("--limit 4", &records[..4]);
    is("--limit 0", &[]);
    is("--from 99", &[]);
}

#[test]
fn records_are_partitioned_by_key_as_in_kafkas_java_client_and_in_turn_without_a_key() {
    let Some(kafka) = OnKafka::new() else { return };
    kafka.good("topic create keyed --partitions 5");
    kafka.good("topic create other --partitions 2");
    let keys = ["21", "foobar", "a-little-bit-long-string", "abc", ""];
    let lines = keys.map(|key| format!("{{\"topic\":\"keyed\",\"key\":\"{key}\",\"value\":1,\"timestamp\":1}}\n"));
    assert_eq!(kafka.write("--key string", &lines.concat()), "exit 0: 5 records written");
    // The keys and hashes are those of Kafka's own `UtilsTest.testMurmur2`.
    assert_snapshot!(kafka.good("topic read keyed --key string"), @r#"
    {"topic":"keyed","partition":0,"key":"21","value":1,"timestamp":1}
    {"topic":"keyed","partition":1,"key":"foobar","value":1,"timestamp":1}
    {"topic":"keyed","partition":1,"key":"","value":1,"timestamp":1}
    {"topic":"keyed","partition":2,"key":"a-little-bit-long-string","value":1,"timestamp":1}
    {"topic":"keyed","partition":2,"key":"abc","value":1,"timestamp":1}
    "#);
    let keyless = ["keyed", "other"].map(|topic| format!("{{\"topic\":\"{topic}\",\"value\":2,\"timestamp\":1}}\n"));
    assert_eq!(kafka.write("", &keyless.concat().repeat(10)), "exit 0: 20 records written");
    let count = |topic: &str, partition: u32| {
        let lines = kafka.good(&format!("topic read {topic} --partition {partition}"));
        lines.lines().filter(|line| line.contains(r#""value":2"#)).count()
    };
    assert_eq!([0, 1, 2, 3, 4].map(|partition| count("keyed", partition)), [2; 5]);
    assert_eq!([0, 1].map(|partition| count("other", partition)), [5, 5]);
}

#[test]
fn a_wrong_topic_line_or_setting_is_an_error_and_nothing_is_written() {
    let Some(kafka) = OnKafka::new() else { return };
    kafka.good("topic create payments --partitions 2 --config retention.ms=-1 --config max.message.bytes=1000");
    kafka.good("topic create payments --partitions 2 --config retention.ms=-1");
    let said = [
        kafka.bad("topic create payments --partitions 3"),
        kafka.bad("topic create payments --partitions 2 --config retention.ms=5"),
        kafka.bad("topic create invoices --config retention.sm=5"),
        kafka.bad("topic read paymnets"),
        kafka.bad("topic read invoices"),
        kafka.bad("topic read payments --partition 2"),
        kafka.write("paymnets", ""),
        kafka.write("", "{\"topic\":\"payments\",\"value\":1}\n{\"topic\":\"Payment\",\"value\":1}\n"),
        kafka.write("payments", "{\"value\":1}\n{\"value\":1,\"partition\":2}\n"),
        kafka.write("payments", "{\"value\":1}\n{\"value\":1,\"time"),
        kafka.write("payments --key i64", "{\"key\":\"a\",\"value\":1}\n"),
        kafka.write("payments", "{\"value\":1,\"timestamp\":-1}\n"),
        kafka.bad("topic list --kafka-set group.id=x"),
        kafka.bad("topic list --kafka-set sasl.pasword=x"),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    exit 1: error: topic `payments` is there already, with 2 partitions, not 3
    exit 1: error: topic `payments` is there already, and its retention.ms is -1, not 5
    exit 1: error: topic `invoices` can't be made: one of its settings is unknown, or its value is wrong
    exit 1: error: there is no topic `paymnets`; did you mean `payments`?
    exit 1: error: there is no topic `invoices`; `topic list` shows those that are there, `topic create` makes one
    exit 1: error: topic `payments` has no partition 2: its last one is 1
    exit 1: error: there is no topic `paymnets`; did you mean `payments`?
    exit 1: error: nothing was written: line 2: there is no topic `Payment`; did you mean `payments`?
    exit 1: error: nothing was written: line 2: topic `payments` has no partition 2: its last one is 1
    exit 1: error: nothing was written: line 2: EOF while parsing a string (column 16); a line is one JSON object
    exit 1: error: nothing was written: line 1, field `key`: "a" is not a whole number of 64 bits; keys of this topic are i64: a number such as 42, or null; raw bytes go into `keyBase64`
    exit 1: error: nothing was written: line 1: timestamp -1: on Kafka a timestamp is a number from 1 on
    exit 1: error: `group.id` can't be set here: the command is in no group
    exit 1: error: librdkafka has no setting `sasl.pasword`; did you mean `sasl.password`?
      help: its settings are listed at https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md
    "#);
    assert_eq!(kafka.good("topic read payments"), "");
}

#[test]
fn a_record_that_the_broker_refuses_is_named_by_its_line_and_the_others_are_written() {
    let Some(kafka) = OnKafka::new() else { return };
    kafka.good("topic create small --partitions 2 --config max.message.bytes=1000");
    let large = format!("{{\"partition\":1,\"value\":\"{}\"}}\n", "x".repeat(2_000));
    let input = format!("{{\"partition\":0,\"value\":1}}\n{large}{{\"partition\":0,\"value\":2}}\n");
    assert_snapshot!(kafka.write("small", &input), @"
    exit 1: error: lines up to 3 were written but for these, and none after it
      line 2: it is larger than the topic takes (max.message.bytes)
    ");
    let written = kafka.good("topic read small");
    assert_eq!(written.lines().count(), 2, "{written}");
    assert!(written.contains(r#""value":1,"#) && written.contains(r#""value":2,"#), "{written}");
}

#[test]
fn the_timestamp_0_is_written_as_1_and_counted() {
    let Some(kafka) = OnKafka::new() else { return };
    kafka.good("topic create epoch --config retention.ms=-1");
    let said = kafka.write("epoch", "{\"value\":1,\"timestamp\":0}\n{\"value\":2,\"timestamp\":1}\n");
    assert_snapshot!(said, @"
    exit 0: 2 records written
    1 of them with the timestamp 1 in place of 0, which the client takes for now
    ");
    assert_eq!(kafka.good("topic read epoch").matches(r#""timestamp":1}"#).count(), 2);
}

#[test]
fn a_topic_is_created_with_the_wanted_replicas_or_refused() {
    let Some(kafka) = OnKafka::new() else { return };
    kafka.good("topic create single --replication-factor 1 --config retention.ms=-1");
    kafka.good("topic create single --replication-factor 1");
    let said = [
        kafka.bad("topic create single --replication-factor 2"),
        kafka.bad("topic create triple --replication-factor 3"),
    ];
    assert_snapshot!(said.join("\n"), @"
    exit 1: error: topic `single` is there already, and its partitions have 1 replicas, not 2
    exit 1: error: topic `triple` can't be made: there are fewer brokers than its partitions are to have replicas
    ");
}

/// The first lines are acknowledged before the broker dies; the later ones reach no broker.
#[test]
fn the_fate_of_each_line_is_known_when_the_broker_dies_during_a_write() {
    let Some(mut cluster) = millrace_broker::for_test(millrace_broker::Options::default()).unwrap() else { return };
    let (place, at) = (Place::new(), format!("--kafka {}", cluster.bootstrap()));
    place.millrace(&format!("topic create half {at}")).good();
    let mut command = place.command(&format!("topic write half --kafka-set message.timeout.ms=3000 {at}"));
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // A batch has this many lines.
    input.write_all("{\"value\":1}\n".repeat(10_000).as_bytes()).unwrap();
    let written = || place.millrace(&format!("topic list {at}")).good();
    until("the first lines are in the topic", || written().contains(" 10000"));
    cluster.kill(0).unwrap();
    input.write_all("{\"value\":2}\n".repeat(3).as_bytes()).unwrap();
    drop(input);
    let said = Said::from(child.wait_with_output().unwrap());
    let text = said.err.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n");
    assert_eq!(said.code, Some(1), "{text}");
    assert_snapshot!(text, @"
    error: lines up to 10003 were written but for these, and none after it
      lines 10001 to 10003: no broker has acknowledged it in time
    ");
}

#[test]
fn a_command_does_not_wait_for_a_broker_that_does_not_answer() {
    let said = Place::new().millrace("topic list --kafka 127.0.0.1:1").bad();
    let expected = "exit 75: error: no broker answers at 127.0.0.1:1: ";
    assert!(said.starts_with(expected) && said.contains("Connection refused"), "{said}");
}

//! The checks at the end of every scenario.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::app::App;
use super::expected::{Decision, Expected, Origin, expected, topic_of};
use super::input::{PARTITIONS, Side};
use super::process::Process;
use super::records::Record;
use super::same::assert_same;
use super::state;
use super::wait::until;

/// The results, for further checks.
pub struct Found {
    /// Number of dead letters.
    pub dead_letters: usize,
    /// Records without key or value in the input.
    pub dropped: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    product: i64,
    orders: i64,
    pieces: i64,
}

impl App {
    /// Waits until the last process has processed all input, stops it, and checks all results.
    pub fn finish(&self, mut process: Process, data: &str) -> Found {
        process.wait_until_running();
        self.wait_until_caught_up(super::wait::PATIENCE);
        process.stop();
        self.check(data)
    }

    /// Checks all results, after the last process has stopped, which had all tasks on this folder.
    pub fn check(&self, data: &str) -> Found {
        self.check_with_sums(data, true)
    }

    /// The same after the topic `sums` was deleted and created again, without its earlier records.
    pub fn check_but_for_sums_before_the_topic_was_made(&self, data: &str) {
        self.check_with_sums(data, false);
    }

    fn check_with_sums(&self, data: &str, from_the_first: bool) -> Found {
        let expected = expected(self);
        self.no_transaction_is_open();
        self.check_input(&expected);
        let orders = self.kafka.read(&self.topic("orders"));
        check_orders(&orders, &expected);
        self.check_sums(&expected, from_the_first);
        let dead_letters = self.check_dead_letters(&expected);
        state::check(self, &self.path(data), &orders);
        Found { dead_letters, dropped: expected.dropped }
    }

    /// Checks that no transaction is open in any topic.
    pub fn no_transaction_is_open(&self) {
        until("no transaction is open", || {
            let Ok(topics) = self.topics() else { return false };
            topics.iter().all(|(topic, partitions)| {
                let ends = self.kafka.ends(topic, *partitions);
                ends.is_ok_and(|ends| ends.iter().all(|end| end.stable == end.high))
            })
        });
    }

    /// Checks that the input topics have the input: otherwise the test itself has lost or duplicated records.
    fn check_input(&self, expected: &Expected) {
        let sent = expected.origins.iter().map(|(origin, sent)| (origin.clone(), (&sent.key, &sent.value))).collect();
        let read = |side| {
            let topic = topic_of(self, side);
            (topic.clone(), self.kafka.read(&topic))
        };
        let topics = [read(Side::Payments), read(Side::Stock)];
        let mut found = BTreeMap::new();
        for (topic, partitions) in &topics {
            for (partition, records) in partitions.iter().enumerate() {
                let place = |record: &Record| (topic.clone(), partition as i32, record.offset);
                found.extend(records.iter().map(|record| (place(record), (&record.key, &record.value))));
            }
        }
        assert_same("input", &sent, &found);
    }

    /// Readers of committed records get further than they ever could with a transaction open that nobody ends.
    pub fn no_transaction_of_the_dead_is_open(&self) {
        let ends = || self.kafka.ends(&self.topic("orders"), PARTITIONS as i32);
        let then = ends().unwrap();
        until("nothing holds readers back", || {
            ends().is_ok_and(|now| now.iter().zip(&then).all(|(now, then)| now.stable >= then.high))
        });
    }

    /// Checks that the sums of each product grow by one order at a time, up to the expected ones.
    fn check_sums(&self, expected: &Expected, from_the_first: bool) {
        let mut sums: BTreeMap<i64, Vec<Sum>> = BTreeMap::new();
        for record in self.kafka.read(&self.topic("sums")).iter().flatten() {
            let sum: Sum = serde_json::from_slice(record.value.as_deref().expect("sums have values")).unwrap();
            assert_eq!(sum.product, record.number());
            sums.entry(sum.product).or_default().push(sum);
        }
        let last = |sums: &Vec<Sum>| sums.last().map_or((0, 0), |sum| (sum.orders, sum.pieces));
        let found = sums.iter().map(|(product, sums)| (*product, last(sums))).collect();
        assert_same("sums of products", &expected.sums, &found);
        for (product, sums) in &sums {
            let orders: Vec<_> = sums.iter().map(|sum| sum.orders).collect();
            let first = if from_the_first { 1 } else { orders[0] };
            let upwards: Vec<_> = (first..).take(orders.len()).collect();
            assert!(orders == upwards, "sums of product {product} should grow one by one: {orders:?}");
        }
    }

    /// Checks that each refused record is one dead letter with its origin, and that there are no others.
    fn check_dead_letters(&self, expected: &Expected) -> usize {
        let letters: Vec<_> = self.kafka.read(&self.topic("dead")).into_iter().flatten().collect();
        let mut refused = BTreeMap::new();
        let mut without_pieces: BTreeMap<i64, usize> = BTreeMap::new();
        let mut too_large: BTreeMap<i64, usize> = BTreeMap::new();
        for letter in &letters {
            let origin = origin(letter);
            let sent = expected.origins.get(&origin).unwrap_or_else(|| panic!("nobody sent {origin:?}: {letter:?}"));
            let code = letter.header("millrace-error-code");
            match code {
                // Behind a repartition topic: by then it has another key, and still names the record that was sent.
                "no-pieces" => {
                    assert_eq!(letter.number(), sent.order.product, "key of the dead letter of {origin:?}");
                    *without_pieces.entry(sent.order.id).or_default() += 1;
                }
                "too-large" => {
                    assert_eq!(letter.number(), sent.order.id, "key of the dead letter of {origin:?}");
                    *too_large.entry(sent.order.id).or_default() += 1;
                }
                _ => {
                    let before = refused.insert(origin.clone(), code);
                    assert_eq!(before, None, "two dead letters of {origin:?}");
                    assert_eq!(letter.key, sent.key, "key of the dead letter of {origin:?}");
                    assert_eq!(letter.value, sent.value, "value of the dead letter of {origin:?}");
                }
            }
        }
        assert_same("refused by sources", &expected.refused, &refused);
        assert_same("orders without pieces", &expected.without_pieces, &without_pieces);
        assert_same("too large decisions", &expected.too_large, &too_large);
        letters.len()
    }
}

/// Checks that the decisions on each order are those of `replay`, in the same order.
fn check_orders(orders: &[Vec<Record>], expected: &Expected) {
    let mut found: BTreeMap<i64, Vec<Decision>> = BTreeMap::new();
    for record in orders.iter().flatten() {
        let value = String::from_utf8(record.value.clone().expect("decisions have values")).unwrap();
        found.entry(record.number()).or_default().push((record.timestamp, value));
    }
    assert_same("decisions by order", &expected.orders, &found);
}

fn origin(letter: &Record) -> Origin {
    let number = |name: &str| letter.header(name).parse().unwrap_or(-1);
    let topic = letter.header("__streams.errors.topic").to_owned();
    (topic, number("__streams.errors.partition") as i32, number("__streams.errors.offset"))
}

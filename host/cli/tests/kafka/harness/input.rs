//! The input: both answers to many orders, from a seed.
//!
//! In a run, the two topics are merged as their records arrive, which differs from run to run. The input is such that
//! this makes no difference: records that should match are never late, those that shouldn't are far apart, and a key
//! that has several values has them on one side only. So every run must have the output of `replay`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::Dice;

/// Number of partitions of all topics.
pub const PARTITIONS: i64 = 4;

/// Number of products.
pub const PRODUCTS: i64 = 40;

/// Age of the first order in milliseconds, less than `producer.id.expiration.ms` (a day). A broker computes the age of
/// a producer from the timestamps of its records: after a restart it would forget the sequence numbers of a producer of
/// older records, and a record in flight could be lost.
const AGO: i64 = 3_600_000;

/// Time from an order to the next, in milliseconds.
const STEP: i64 = 2;

/// An answer that comes after the window of the join.
const TOO_LATE: i64 = 12_000;

/// The side that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Payments,
    Stock,
}

/// The expected fate of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It matches the other side, or waits for it.
    Joined,
    /// It is a dead letter with this code at its source.
    Refused(&'static str),
    /// It is dropped and counted.
    Dropped,
}

/// A record to be sent.
#[derive(Clone, Debug)]
pub struct Answer {
    pub side: Side,
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub fate: Fate,
    /// The content of the order, to recompute the sums.
    pub order: Order,
}

/// What an order is about.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub id: i64,
    pub product: i64,
    pub pieces: i64,
}

/// The shape of the input.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub seed: u64,
    pub orders: i64,
    /// One of this many orders has a value of this many bytes.
    pub giants: Option<(i64, usize)>,
}

/// The input, in the order in which it is sent.
pub fn input(shape: Shape) -> Vec<Answer> {
    let mut dice = Dice::new(shape.seed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let start = now.as_millis() as i64 - AGO;
    let mut answers: Vec<(i64, Answer)> = Vec::new();
    for id in 1..=shape.orders {
        // Some have no pieces: the aggregate refuses them, behind a repartition topic.
        let pieces = if dice.below(50) == 0 { 0 } else { 1 + dice.below(9) as i64 };
        let order = Order { id, product: dice.below(PRODUCTS as u64) as i64, pieces };
        let giant = shape.giants.filter(|(every, _)| id % every == 0).map_or(0, |(_, bytes)| bytes);
        append(&mut answers, &mut dice, start, order, giant);
    }
    answers.sort_by_key(|(arrival, _)| *arrival);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn append(answers: &mut Vec<(i64, Answer)>, dice: &mut Dice, start: i64, order: Order, giant: usize) {
    let placed = start + order.id * STEP;
    // One side may answer twice with something else, the second time later.
    let twice = match dice.below(20) {
        0 => Some(Side::Payments),
        1 => Some(Side::Stock),
        _ => None,
    };
    for side in [Side::Payments, Side::Stock] {
        let too_late = side == Side::Stock && dice.below(30) == 0;
        let timestamp = placed + dice.below(2_000) as i64 + if too_late { TOO_LATE } else { 0 };
        let arrival = timestamp + dice.below(1_000) as i64;
        let answer = answer(dice, side, order, timestamp, giant);
        let second = (twice == Some(side) && answer.fate == Fate::Joined).then(|| {
            let timestamp = timestamp + 500;
            (arrival + 500, Answer { timestamp, value: Some(value(dice, side, order, giant)), ..answer.clone() })
        });
        // A duplicate, but not if the other side has two different records: the order of the results would depend on
        // the run.
        let again = twice.is_none() && dice.below(50) == 0;
        answers.push((arrival, answer.clone()));
        answers.extend(again.then_some((arrival, answer)));
        answers.extend(second);
    }
}

fn answer(dice: &mut Dice, side: Side, order: Order, timestamp: i64, giant: usize) -> Answer {
    let key = || Some(order.id.to_be_bytes().to_vec());
    let good = Some(value(dice, side, order, giant));
    let (key, value, fate) = match dice.below(200) {
        0 => (Some(vec![1, 2, 3]), good, Fate::Refused("bad-key")),
        1 => (key(), Some(b"not JSON".to_vec()), Fate::Refused("bad-value")),
        2 => (key(), Some(Vec::new()), Fate::Refused("bad-value")),
        3 => (None, good, Fate::Dropped),
        4 => (key(), None, Fate::Dropped),
        _ => (key(), good, Fate::Joined),
    };
    Answer { side, partition: (order.id % PARTITIONS) as i32, key, value, timestamp, fate, order }
}

fn value(dice: &mut Dice, side: Side, Order { id, product, pieces }: Order, giant: usize) -> Vec<u8> {
    let status = ["ACCEPT", "ACCEPT", "REJECT"][dice.below(3) as usize];
    let source = if side == Side::Payments { "PAYMENT" } else { "INVENTORY" };
    let price = dice.below(90_000) + 1_000;
    let (euros, cents, note) = (price / 100, price % 100, "x".repeat(giant));
    let text = format!(
        r#"{{"id":{id},"productId":{product},"productCount":{pieces},"price":{euros}.{cents:02},"status":"{status}","source":"{source}","note":"{note}"}}"#
    );
    text.into_bytes()
}

//! The expected results: the decisions of `millrace replay`, and the rest recomputed from the input.

use std::collections::BTreeMap;
use std::io::Write;

use super::app::App;
use super::input::{Answer, Fate, Side};
use super::lines::{Line, line};

/// The place of an input record: topic, partition, offset.
pub type Origin = (String, i32, i64);

/// A decision: its time, and its value.
pub type Decision = (i64, String);

/// The expected results.
pub struct Expected {
    /// Decisions on each order, in their order.
    pub orders: BTreeMap<i64, Vec<Decision>>,
    /// Number of decisions too large for the topic `orders`, by order.
    pub too_large: BTreeMap<i64, usize>,
    /// Number of orders and pieces of each product.
    pub sums: BTreeMap<i64, (i64, i64)>,
    /// Number of times that the aggregate refuses an order without pieces, by order.
    pub without_pieces: BTreeMap<i64, usize>,
    /// Records that the sources refuse, with the code.
    pub refused: BTreeMap<Origin, &'static str>,
    /// Number of records without key or value.
    pub dropped: usize,
    /// All input records, by place.
    pub origins: BTreeMap<Origin, Answer>,
}

/// Computes the expected results.
pub fn expected(app: &App) -> Expected {
    let origins = origins(app);
    let mut expected = Expected {
        orders: BTreeMap::new(),
        too_large: BTreeMap::new(),
        sums: BTreeMap::new(),
        without_pieces: BTreeMap::new(),
        refused: BTreeMap::new(),
        dropped: 0,
        origins: BTreeMap::new(),
    };
    for (origin, answer) in &origins {
        match answer.fate {
            Fate::Joined => {}
            Fate::Dropped => expected.dropped += 1,
            Fate::Refused(code) => drop(expected.refused.insert(origin.clone(), code)),
        }
    }
    decide(app, &mut expected);
    sum_up(app, &mut expected);
    Expected { origins, ..expected }
}

/// The topic that an answer is sent to.
pub fn topic_of(app: &App, side: Side) -> String {
    app.topic(if side == Side::Payments { "payments" } else { "stock" })
}

fn origins(app: &App) -> BTreeMap<Origin, Answer> {
    let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
    let mut place = |answer: &Answer| {
        let (topic, partition) = (topic_of(app, answer.side), answer.partition);
        let offset = next.entry((topic.clone(), partition)).or_default();
        *offset += 1;
        ((topic, partition, *offset - 1), answer.clone())
    };
    app.input.iter().map(&mut place).collect()
}

/// Computes the decisions with `replay`.
fn decide(app: &App, expected: &mut Expected) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(app.path("input.jsonl")).unwrap());
    for answer in app.input.iter() {
        let (key, value) = (answer.key.as_deref(), answer.value.as_deref());
        let topic = topic_of(app, answer.side);
        writeln!(file, "{}", line(&topic, answer.partition, (key, value), answer.timestamp, &[])).unwrap();
    }
    file.flush().unwrap();
    let said = app.command("replay pipeline.toml --in input.jsonl --out expected.jsonl").output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = std::fs::read_to_string(app.path("expected.jsonl")).unwrap();
    let orders = app.topic("orders");
    for line in text.lines().filter(|line| line.contains(&orders)) {
        let line = Line::parse(line);
        if line.topic != orders {
            continue;
        }
        let record = line.record();
        let (key, value) = (record.number(), record.value.expect("decisions have values"));
        if value.len() > app.settings.largest_order {
            *expected.too_large.entry(key).or_default() += 1;
        } else {
            expected.orders.entry(key).or_default().push((record.timestamp, String::from_utf8(value).unwrap()));
        }
    }
}

/// Recomputes the pairs and their sums.
fn sum_up(app: &App, expected: &mut Expected) {
    let within = app.settings.window_ms();
    let mut sides: BTreeMap<i64, [Vec<&Answer>; 2]> = BTreeMap::new();
    for answer in app.input.iter().filter(|answer| answer.fate == Fate::Joined) {
        sides.entry(answer.order.id).or_default()[usize::from(answer.side == Side::Stock)].push(answer);
    }
    for (id, [payments, stock]) in &sides {
        let pairs = payments.iter().flat_map(|payment| stock.iter().map(move |stock| (payment, stock)));
        for (payment, _) in pairs.filter(|(payment, stock)| (payment.timestamp - stock.timestamp).abs() <= within) {
            let order = payment.order;
            if order.pieces == 0 {
                *expected.without_pieces.entry(*id).or_default() += 1;
                continue;
            }
            let sum = expected.sums.entry(order.product).or_default();
            (sum.0, sum.1) = (sum.0 + 1, sum.1 + order.pieces);
        }
    }
}

//! The life of an order: it is placed, and two services decide on it.

use crate::dice::Dice;
use crate::event::{Event, ORDERS, PAYMENTS, STOCK};

const NAMES: &[&str] =
    &["Zoë Müller", "Łukasz Żółć", "李小龙", "Amélie Dûr", "محمد علي", "Søren 🚲 Ærø", "O'Brien \\\"Bo\\\""];

/// Extra fields that the rule doesn't know, and has to carry as they are.
const EXTRAS: &[&str] = &[
    r#""trackingNo":12345678901234567890123"#,
    r#""discount":0.10,"tags":["gift","späť",""]"#,
    r#""weight":1.250e1,"address":{"city":"Kraków","zip":"30-001","lines":[null,true]}"#,
    r#""note":"ring twice\n2nd floor \u00b7 \"left\"""#,
    r#""rating":-0.0,"flags":{}"#,
];

/// What both services are told of an order: the fields from `id` to `price`, as JSON text.
fn facts(dice: &mut Dice, id: i64) -> String {
    let price = match dice.between(0, 9) {
        0 => dice.between(1, 400).to_string(),
        1 => format!("{}.0", dice.between(1, 90)),
        2 => "19.90".to_owned(),
        _ => format!("{}.{:02}", dice.between(0, 900), dice.between(0, 99)),
    };
    let (customer, product, count) = (dice.between(1, 200), dice.between(1, 60), dice.between(1, 9));
    format!(r#""id":{id},"customerId":{customer},"productId":{product},"productCount":{count},"price":{price}"#)
}

/// The value of an order with this decision, and now and then with fields that nobody asked for.
fn value(dice: &mut Dice, facts: &str, status: &str, source: &str) -> String {
    let mut text = format!(r#"{{{facts},"status":"{status}","source":{source}"#);
    if dice.chance(6) {
        text.push_str(&format!(r#","customerName":"{}""#, dice.pick(NAMES)));
    }
    if dice.chance(8) {
        text.push(',');
        text.push_str(dice.pick(EXTRAS));
    }
    text.push('}');
    text
}

/// What payment and stock say.
fn decisions(dice: &mut Dice) -> (&'static str, &'static str) {
    match dice.between(1, 100) {
        1..=82 => ("ACCEPT", "ACCEPT"),
        83..=88 => ("REJECT", "ACCEPT"),
        89..=94 => ("ACCEPT", "REJECT"),
        95..=98 => ("REJECT", "REJECT"),
        99 => ("PENDING", "ACCEPT"),
        _ => ("ACCEPT", "BACKORDER"),
    }
}

/// When payment and stock decide, after the order was placed; `None`: never. Ten seconds apart is the most that still
/// belongs together.
fn delays(dice: &mut Dice) -> (Option<i64>, Option<i64>) {
    let (payment, stock) = (dice.between(200, 1500), dice.between(150, 2500));
    match dice.between(1, 100) {
        1..=3 => (None, Some(stock)),
        4..=6 => (Some(payment), None),
        7..=8 => (Some(payment), Some(payment + dice.between(10_001, 40_000))),
        9 => (Some(stock + dice.between(10_001, 40_000)), Some(stock)),
        10 => (Some(payment), Some(payment + 10_000)),
        11 => (Some(stock + 10_001), Some(stock)),
        12..=20 => (Some(payment + dice.between(2000, 7000)), Some(stock)),
        _ => (Some(payment), Some(stock)),
    }
}

/// Appends all events of an order.
pub(crate) fn append(events: &mut Vec<Event>, dice: &mut Dice, id: i64, placed: i64) {
    let facts = facts(dice, id);
    events.push(Event::new(ORDERS, id, value(dice, &facts, "NEW", "null"), placed));
    let (payment, stock) = decisions(dice);
    let (payment_delay, stock_delay) = delays(dice);
    for (topic, status, source, delay) in
        [(PAYMENTS, payment, r#""PAYMENT""#, payment_delay), (STOCK, stock, r#""INVENTORY""#, stock_delay)]
    {
        let Some(delay) = delay else { continue };
        let mut event = Event::new(topic, id, value(dice, &facts, status, source), placed + delay);
        event.headers = dice.chance(10).then_some(r#"{"trace-id":"4bf92f3577b34da6","origin":"checkout"}"#);
        let twice = dice.chance(3).then(|| delivered_again(dice, &event));
        events.push(event);
        events.extend(twice);
    }
}

/// A duplicate: the same record once more, a little later.
fn delivered_again(dice: &mut Dice, event: &Event) -> Event {
    Event { arrival: event.arrival + dice.between(1, 3000), ..event.clone() }
}

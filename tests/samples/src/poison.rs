//! Records that no rule can work on, and some that only look odd.

use crate::event::{Event, Field, ORDERS, PAYMENTS, STOCK};

/// Ids of orders that only poison speaks of begin here.
const FIRST_ID: i64 = 5000;

/// How often each kind comes.
const ROUNDS: i64 = 3;

/// Appends every kind of poison to every topic, spread over the time from `start` to `end`.
pub(crate) fn append(events: &mut Vec<Event>, start: i64, end: i64) {
    let kinds = kinds();
    let all = kinds.len() as i64 * ROUNDS;
    for round in 0..ROUNDS {
        for (index, (key, value)) in kinds.iter().enumerate() {
            let number = round * kinds.len() as i64 + index as i64;
            let (id, timestamp) = (FIRST_ID + number, start + (end - start) / (all + 1) * (number + 1));
            append_kind(events, id, timestamp, key, value);
        }
    }
    append_old(events, end);
}

/// One of each side, so that a pair would be complete if it could be read. A value that is nearly an order stands on
/// one side only: the other is good, and so the rule sees it.
fn append_kind(events: &mut Vec<Event>, id: i64, timestamp: i64, key: &Key, value: &Value) {
    let mut bad = Event::new(PAYMENTS, id, order(id, r#""status":"ACCEPT","source":"PAYMENT""#), timestamp);
    match key {
        Key::Good => {}
        Key::Null => bad.key = Field::Null,
        Key::Raw(bytes) => bad.key = Field::Raw(bytes.to_vec()),
    }
    match value {
        Value::Good => {}
        Value::Null => bad.value = Field::Null,
        Value::Raw(bytes) => bad.value = Field::Raw(bytes.to_vec()),
        Value::Json(text) => bad.value = Field::Json((*text).to_owned()),
        Value::Order(rest) => bad.value = Field::Json(order(id, rest)),
    }
    let good = Event::new(STOCK, id, order(id, r#""status":"ACCEPT","source":"INVENTORY""#), timestamp + 300);
    let turned = id % 2 == 1;
    if turned {
        (bad.topic, bad.timestamp, bad.arrival) = (STOCK, bad.timestamp + 300, bad.arrival + 300);
    }
    let good = if turned { Event { topic: PAYMENTS, timestamp, arrival: timestamp, ..good } } else { good };
    events.extend([bad, good]);
}

/// Events from long ago, a good order that is cancelled by a tombstone, and a table row that isn't one.
fn append_old(events: &mut Vec<Event>, end: i64) {
    for (index, timestamp) in [0, 1, 946_684_800_000, 1_577_836_800_000].into_iter().enumerate() {
        let id = 6000 + index as i64;
        for (topic, source) in [(PAYMENTS, "PAYMENT"), (STOCK, "INVENTORY")] {
            let value = order(id, &format!(r#""status":"ACCEPT","source":"{source}""#));
            let arrival = end - 300_000 * (index as i64 + 1);
            events.push(Event { arrival, ..Event::new(topic, id, value, timestamp) });
        }
    }
    let new = |id: i64| Event::new(ORDERS, id, order(id, r#""status":"NEW","source":null"#), end - 60_000);
    events.push(new(7000));
    events.push(Event { value: Field::Null, arrival: end - 30_000, timestamp: end - 30_000, ..new(7000) });
    events.push(Event { key: Field::Null, ..new(7001) });
    events.push(Event { key: Field::Raw(b"7002".to_vec()), ..new(7002) });
    events.push(Event { value: Field::Raw(b"<order id=\"7003\"/>".to_vec()), ..new(7003) });
}

fn order(id: i64, rest: &str) -> String {
    format!(r#"{{"id":{id},"customerId":7,"productId":11,"productCount":1,"price":19.90,{rest}}}"#)
}

enum Key {
    Good,
    Null,
    Raw(&'static [u8]),
}

enum Value {
    Good,
    Null,
    Raw(&'static [u8]),
    /// JSON that is no order.
    Json(&'static str),
    /// An order with these fields in place of status and source.
    Order(&'static str),
}

fn kinds() -> Vec<(Key, Value)> {
    let mut kinds = vec![
        (Key::Null, Value::Good),
        (Key::Raw(b""), Value::Good),
        (Key::Raw(&[0, 0, 0, 42]), Value::Good),
        (Key::Raw(b"order-42!"), Value::Good),
    ];
    let values = [
        Value::Null,
        Value::Raw(b""),
        Value::Raw(b"null"),
        Value::Raw(b"not JSON"),
        Value::Raw(b"{\"id\":1,\"status\":\"ACC"),
        Value::Raw(b"{\"id\":1,}"),
        Value::Raw(&[0xff, 0xfe, 0x00, 0x01]),
        Value::Json("[]"),
        Value::Json(r#"[{"status":"ACCEPT"}]"#),
        Value::Json(r#""ACCEPT""#),
        Value::Json("42"),
        Value::Json("{}"),
        Value::Order(r#""source":"PAYMENT""#),
        Value::Order(r#""status":null,"source":"PAYMENT""#),
        Value::Order(r#""status":1,"source":"PAYMENT""#),
        Value::Order(r#""status":["ACCEPT"],"source":"PAYMENT""#),
        Value::Order(r#""status":"accept","source":"PAYMENT""#),
        Value::Order(r#""status":"","source":"PAYMENT""#),
        Value::Order(r#""status":"ACCEPT""#),
    ];
    kinds.extend(values.into_iter().map(|value| (Key::Good, value)));
    kinds
}

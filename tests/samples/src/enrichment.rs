//! An hour of orders with their customers: `samples/order-enrichment.jsonl`.

use crate::OPENING;
use crate::broken;
use crate::dice::Dice;
use crate::event::{Event, Field};
use crate::shop::{MINUTE, REGIONS, customer, late, product, times};

const TOPIC: &str = "bss.order.events";
const CUSTOMERS: &str = "bss.customer.info";

const TIERS: [&str; 4] = [r#""GOLD""#, r#""SILVER""#, r#""BRONZE""#, "null"];

/// An order of a customer for a product.
pub(crate) fn order(id: i64, customer: &str, product: &str, region: &str, (price, count): (i64, i64)) -> String {
    let (unit, amount) = (cents(price), cents(price * count));
    format!(
        r#"{{"orderId":"o-{id}","customerId":"{customer}","productId":"{product}","region":"{region}","amount":{amount},"unitPrice":{unit},"status":"NEW"}}"#
    )
}

fn cents(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn row(dice: &mut Dice, customer: &str, time: i64) -> Event {
    let (tier, region) = (dice.pick(&TIERS), dice.pick(&REGIONS));
    let value = format!(r#"{{"customerId":"{customer}","name":"Ms {customer}","tier":{tier},"region":"{region}"}}"#);
    Event::of(CUSTOMERS, customer, value, time)
}

pub(crate) fn append(events: &mut Vec<Event>, dice: &mut Dice) {
    // Of the crowd, a few customers are never known, and others change their tier.
    for number in 1..=20 {
        events.push(row(dice, &format!("c-{number:02}"), OPENING + number * 500));
    }
    for time in times(dice, 12, 5, (60_000, 300_000)) {
        let customer = customer(dice);
        events.push(row(dice, &customer, time));
    }
    for (number, time) in times(dice, 260, 0, (2_000, 24_000)).into_iter().enumerate() {
        let (customer, (product, _), region) = (customer(dice), product(dice), dice.pick(&REGIONS));
        let price = (dice.between(199, 39_900), dice.between(1, 5));
        events.push(Event::of(TOPIC, &customer, order(number as i64, &customer, &product, region, price), time));
    }
    scenes(events);
    let good = order(900, "c-01", "bo-1", "EU", (1_990, 1));
    broken::append(events, TOPIC, &good, OPENING + 5 * MINUTE, MINUTE);
    broken::append(events, CUSTOMERS, r#"{"customerId":"c-01","name":"Ms c-01"}"#, OPENING + 6 * MINUTE, MINUTE);
    let wrong = [
        r#""customerId":"c-02","region":"EU""#,
        r#""customerId":"c-02","region":"EU","amount":null"#,
        r#""customerId":"c-02","region":"EU","amount":"12.50""#,
        r#""customerId":"c-02","region":"EU","amount":0"#,
        r#""customerId":"c-02","region":"EU","amount":-5"#,
        r#""region":"EU","amount":12.5"#,
        r#""customerId":null,"region":"EU","amount":12.5"#,
        r#""customerId":"c-02","amount":12.5"#,
    ];
    for (number, fields) in wrong.iter().enumerate() {
        let value = format!(r#"{{"orderId":"w-{number}",{fields}}}"#);
        events.push(Event::of(TOPIC, "c-02", value, OPENING + (25 + number as i64) * MINUTE));
    }
}

fn scenes(events: &mut Vec<Event>) {
    let mut at = |id: i64, customer: &str, price: (i64, i64), time: i64| {
        let event = Event::of(TOPIC, customer, order(id, customer, "ga-1", "EU", price), OPENING + time);
        events.push(event.clone());
        event
    };
    // Exactly 1000 isn't of high value, a cent more is.
    at(901, "c-03", (100_000, 1), 7 * MINUTE);
    at(902, "c-03", (100_001, 1), 8 * MINUTE);
    // The last millisecond of an hour, and the first one of the next.
    at(903, "c-04", (5_000, 1), 60 * MINUTE - 1);
    at(904, "c-04", (5_000, 1), 60 * MINUTE);
    // An order before its customer is known, and one after the customer is gone.
    let early = at(905, "new", (5_000, 1), 10 * MINUTE);
    let value = r#"{"customerId":"new","name":"Zoë","tier":"GOLD","region":"EU"}"#.to_owned();
    let known = Event::of(CUSTOMERS, "new", value, OPENING + 11 * MINUTE);
    at(906, "new", (5_000, 1), 12 * MINUTE);
    let gone =
        Event { value: Field::Null, timestamp: OPENING + 13 * MINUTE, arrival: OPENING + 13 * MINUTE, ..known.clone() };
    at(907, "new", (5_000, 1), 14 * MINUTE);
    // From two hours ago: too late for its region, and enriched all the same.
    events.push(late(Event { arrival: OPENING + 65 * MINUTE, ..early }, 120 * MINUTE));
    events.extend([known, gone]);
}

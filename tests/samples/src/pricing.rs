//! Three quarters of an hour of orders: `samples/dynamic-pricing.jsonl`.

use crate::OPENING;
use crate::broken;
use crate::dice::Dice;
use crate::enrichment::order;
use crate::event::Event;
use crate::shop::{MINUTE, REGIONS, customer, late, product, times};

const TOPIC: &str = "bss.order.events";

pub(crate) fn append(events: &mut Vec<Event>, dice: &mut Dice) {
    for (number, time) in times(dice, 200, 0, (2_000, 24_000)).into_iter().enumerate() {
        let (customer, (product, _), region) = (customer(dice), product(dice), dice.pick(&REGIONS));
        let price = (dice.between(199, 39_900), dice.between(1, 5));
        events.push(Event::of(TOPIC, &customer, order(number as i64, &customer, &product, region, price), time));
    }
    scenes(events);
    let old = Event::of(TOPIC, "c-05", order(990, "c-05", "bo-1", "EU", (1_000, 1)), OPENING + 40 * MINUTE);
    events.push(late(old, 30 * MINUTE));
    let good = order(991, "c-01", "bo-1", "EU", (1_990, 1));
    broken::append(events, TOPIC, &good, OPENING + 5 * MINUTE, MINUTE);
    let wrong = [
        r#""productId":"bo-1""#,
        r#""productId":"bo-1","unitPrice":null"#,
        r#""productId":"bo-1","unitPrice":"9.90""#,
        r#""productId":"bo-1","unitPrice":0"#,
        r#""productId":"bo-1","unitPrice":-1"#,
        r#""unitPrice":9.90"#,
        r#""productId":7,"unitPrice":9.90"#,
    ];
    for (number, fields) in wrong.iter().enumerate() {
        let value = format!(r#"{{"orderId":"w-{number}","customerId":"c-02",{fields}}}"#);
        events.push(Event::of(TOPIC, "c-02", value, OPENING + (20 + number as i64) * MINUTE));
    }
}

/// A product that is ordered more than twice as often as expected, so that its price meets the cap; one whose price
/// changes; and the edges of a window.
fn scenes(events: &mut Vec<Event>) {
    let mut sold = |id: i64, product: &str, price: i64, time: i64| {
        events.push(Event::of(TOPIC, "c-06", order(id, "c-06", product, "EU", (price, 1)), OPENING + time));
    };
    for number in 0..110 {
        sold(1_000 + number, "hit", 2_000, 15 * MINUTE + number * 7_000);
    }
    for (number, price) in [1_000, 1_200, 900].into_iter().enumerate() {
        sold(1_200 + number as i64, "moving", price, 10 * MINUTE + number as i64 * 1_000);
    }
    sold(1_300, "edge", 1_000, 15 * MINUTE - 1);
    sold(1_301, "edge", 1_000, 15 * MINUTE);
}

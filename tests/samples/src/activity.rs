//! An hour of customers: `samples/customer-activity.jsonl`.

use crate::OPENING;
use crate::broken;
use crate::dice::Dice;
use crate::event::Event;
use crate::shop::{MINUTE, customer, late, product, times};

const TOPIC: &str = "bss.customer.events";

const KINDS: [&str; 8] = ["VIEW", "VIEW", "VIEW", "VIEW", "ADD_TO_CART", "ADD_TO_CART", "PURCHASE", "SEARCH"];

/// An event of a customer. `kind` is what the customer did.
pub(crate) fn event(dice: &mut Dice, customer: &str, kind: &str, time: i64) -> Event {
    let id = dice.between(100_000, 999_999);
    let about = if kind == "SEARCH" {
        r#""query":"gift \u2764""#.to_owned()
    } else {
        let (product, category) = product(dice);
        format!(r#""productId":"{product}","category":"{category}""#)
    };
    let value = format!(r#"{{"eventId":"e-{id}","customerId":"{customer}","activityType":"{kind}",{about}}}"#);
    Event::of(TOPIC, customer, value, time)
}

pub(crate) fn append(events: &mut Vec<Event>, dice: &mut Dice) {
    for time in times(dice, 260, 0, (1_000, 20_000)) {
        let (customer, kind) = (customer(dice), dice.pick(&KINDS));
        events.push(event(dice, &customer, kind, time));
    }
    scenes(events, dice);
    for minutes in [20, 40, 41] {
        let customer = customer(dice);
        let came = event(dice, &customer, "VIEW", OPENING + minutes * MINUTE);
        events.push(late(came, 15 * MINUTE));
    }
    let good = r#"{"eventId":"e-1","customerId":"c-01","activityType":"VIEW"}"#;
    broken::append(events, TOPIC, good, OPENING + 5 * MINUTE, MINUTE);
    for (number, value) in [r#""activityType":null"#, r#""activityType":7"#, r#""activityType":"""#].iter().enumerate()
    {
        let value = format!(r#"{{"eventId":"e-{number}","customerId":"c-02",{value}}}"#);
        events.push(Event::of(TOPIC, "c-02", value, OPENING + (30 + number as i64) * MINUTE));
    }
}

/// The edges of windows and of visits.
fn scenes(events: &mut Vec<Event>, dice: &mut Dice) {
    // The last millisecond of a window, and the first one of the next.
    for time in [OPENING + 5 * MINUTE - 1, OPENING + 5 * MINUTE] {
        events.push(event(dice, "edge", "PURCHASE", time));
    }
    // Exactly half an hour of silence is the same visit; a millisecond more is another one.
    for time in [0, 30 * MINUTE, 60 * MINUTE + 1] {
        events.push(event(dice, "quiet", "VIEW", OPENING + time));
    }
    // Two visits, and an event that happened between them: it comes too late for the first, and belongs to the second.
    for (time, arrival) in [(0, 0), (40, 40), (20, 42)] {
        let came = event(dice, "bridged", "ADD_TO_CART", OPENING + time * MINUTE);
        events.push(Event { arrival: OPENING + arrival * MINUTE, ..came });
    }
}

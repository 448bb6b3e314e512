//! An hour of views, and what customers did before: `samples/recommendations.jsonl`.

use crate::OPENING;
use crate::activity;
use crate::broken;
use crate::dice::Dice;
use crate::event::Event;
use crate::shop::{MINUTE, customer, late, product, times};

const VIEWS: &str = "bss.product.views";
const EVENTS: &str = "bss.customer.events";

fn view(customer: &str, product: &str, category: &str, time: i64) -> Event {
    let value = format!(r#"{{"customerId":"{customer}","productId":"{product}","category":"{category}"}}"#);
    Event::of(VIEWS, customer, value, time)
}

pub(crate) fn append(events: &mut Vec<Event>, dice: &mut Dice) {
    for time in times(dice, 130, 0, (1_000, 40_000)) {
        let (customer, kind) =
            (customer(dice), dice.pick(&["VIEW", "VIEW", "ADD_TO_CART", "PURCHASE", "SEARCH", "LOGIN"]));
        events.push(activity::event(dice, &customer, kind, time));
    }
    for time in times(dice, 170, 1, (1_000, 42_000)) {
        let (customer, (product, category)) = (customer(dice), product(dice));
        events.push(view(&customer, &product, category, time));
    }
    scenes(events);
    let came = view("c-05", "bo-1", "books", OPENING + 90 * MINUTE);
    events.push(late(came, 80 * MINUTE));
    let good = r#"{"customerId":"c-01","productId":"bo-1","category":"books"}"#;
    broken::append(events, VIEWS, good, OPENING + 5 * MINUTE, MINUTE);
    let event = r#"{"eventId":"e-1","customerId":"c-01","activityType":"VIEW","category":"books"}"#;
    broken::append(events, EVENTS, event, OPENING + 6 * MINUTE, MINUTE);
    for (number, fields) in
        [r#""productId":"bo-1""#, r#""category":"books""#, r#""productId":7,"category":[]"#].iter().enumerate()
    {
        let value = format!(r#"{{"customerId":"c-02",{fields}}}"#);
        events.push(Event::of(VIEWS, "c-02", value, OPENING + (25 + number as i64) * MINUTE));
    }
}

/// Interests of equal weight, of more than three categories, and of a customer that has none.
fn scenes(events: &mut Vec<Event>) {
    for (number, category) in ["music", "books", "garden", "coffee"].iter().enumerate() {
        let value = format!(r#"{{"customerId":"even","activityType":"PURCHASE","category":"{category}"}}"#);
        events.push(Event::of(EVENTS, "even", value, OPENING + number as i64 * 1_000));
        events.push(view("even", "mu-1", "music", OPENING + number as i64 * 1_000 + 500));
    }
    events.push(view("nobody", "mu-1", "music", OPENING + 3 * MINUTE));
    // The last millisecond of an hour, and the first one of the next.
    events.push(view("even", "mu-1", "music", OPENING + 60 * MINUTE - 1));
    events.push(view("even", "mu-1", "music", OPENING + 60 * MINUTE));
}

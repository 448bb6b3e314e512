//! Half an hour of payments: `samples/fraud-scoring.jsonl`.

use crate::OPENING;
use crate::broken;
use crate::dice::Dice;
use crate::event::Event;
use crate::shop::{MINUTE, customer, late, times};

const TOPIC: &str = "bss.payment.events";

const LOCATIONS: [&str; 5] = ["Berlin", "Kraków", "Lagos", "Osaka", "São Paulo"];

fn payment(id: &str, customer: &str, cents: i64, location: &str, time: i64) -> Event {
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let value = format!(
        r#"{{"paymentId":"{id}","customerId":"{customer}","amount":{amount},"currency":"EUR","location":"{location}","status":"OK"}}"#
    );
    Event::of(TOPIC, customer, value, time)
}

pub(crate) fn append(events: &mut Vec<Event>, dice: &mut Dice) {
    for (number, time) in times(dice, 220, 0, (1_000, 14_000)).into_iter().enumerate() {
        let customer = customer(dice);
        // Everybody pays at home, and about as much as ever; now and then a lot more.
        let home = LOCATIONS.get(customer.len() % LOCATIONS.len()).copied().unwrap_or_default();
        let cents = if dice.chance(2) { dice.between(60_000, 90_000) } else { dice.between(1_500, 6_000) };
        events.push(payment(&format!("p-{number}"), &customer, cents, home, time));
    }
    scenes(events);
    for minutes in [12, 18] {
        let came = payment(&format!("late-{minutes}"), "c-05", 2_000, "Berlin", OPENING + minutes * MINUTE);
        events.push(late(came, 10 * MINUTE));
    }
    let good = r#"{"paymentId":"b","customerId":"c-01","amount":20.00,"location":"Berlin"}"#;
    broken::append(events, TOPIC, good, OPENING + 3 * MINUTE, MINUTE);
    let wrong = [
        r#""location":"Berlin""#,
        r#""amount":null"#,
        r#""amount":"20.00""#,
        r#""amount":0"#,
        r#""amount":-20.00"#,
        r#""amount":20.00,"location":7"#,
        r#""amount":20.00,"paymentId":["p"]"#,
    ];
    for (number, fields) in wrong.iter().enumerate() {
        let value = format!(r#"{{"customerId":"c-02",{fields}}}"#);
        events.push(Event::of(TOPIC, "c-02", value, OPENING + (16 + number as i64) * MINUTE));
    }
}

fn scenes(events: &mut Vec<Event>) {
    let mut row = |customer: &str, count: i64, cents: i64, places: usize, from: i64| {
        for number in 0..count {
            let place = LOCATIONS.get(number as usize % places).copied().unwrap_or_default();
            let id = format!("{customer}-{}", from / 1000 + number);
            events.push(payment(&id, customer, cents, place, OPENING + from + number * 10_000));
        }
    };
    // More than 10 payments of five minutes are too many; 10 aren't, nor are 12 over the end of a window.
    row("rapid", 12, 1_000, 1, 10 * MINUTE + 5_000);
    row("ten", 10, 1_000, 1, 10 * MINUTE + 6_000);
    row("edge", 12, 1_000, 1, 14 * MINUTE);
    // All three risks at once, and two of them.
    row("risky", 14, 90_000, 5, 15 * MINUTE + 1_000);
    row("home", 14, 90_000, 3, 15 * MINUTE + 2_000);
    // Exactly five times the mean of the earlier payments, a cent more, and a first payment of any size.
    for (customer, cents) in [("five", 10_000), ("more", 10_001)] {
        row(customer, 3, 2_000, 1, 20 * MINUTE);
        row(customer, 1, cents, 1, 21 * MINUTE);
    }
    row("first", 1, 5_000_000, 1, 22 * MINUTE);
}

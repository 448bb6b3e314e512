//! Sample inputs, made from a seed: the same bytes on every machine and at any time.
//!
//! [`orders`] is the input of the orders pipeline: half an hour of a shop, with all that goes wrong in one. The others are
//! those of the analytics of a shop, in which each rule fires.

mod activity;
mod broken;
mod dice;
mod enrichment;
mod event;
mod fraud;
mod order;
mod poison;
mod pricing;
mod recommendations;
mod shop;

use dice::Dice;
use event::Event;

/// Number of orders, before poison.
const ORDERS: i64 = 1100;

/// 2024-05-01T10:00:00Z: a multiple of an hour, and so the start of a window of any length that divides it.
const OPENING: i64 = 1_714_557_600_000;

/// A sample: the name of its file, and its lines.
pub type Sample = (&'static str, fn() -> String);

/// All samples.
pub const SAMPLES: [Sample; 6] = [
    ("orders", orders),
    ("customer-activity", || shop::lines(1, activity::append)),
    ("order-enrichment", || shop::lines(2, enrichment::append)),
    ("fraud-scoring", || shop::lines(3, fraud::append)),
    ("recommendations", || shop::lines(4, recommendations::append)),
    ("dynamic-pricing", || shop::lines(5, pricing::append)),
];

/// Lines of `samples/orders.jsonl`, in the order of arrival.
pub fn orders() -> String {
    let mut dice = Dice::new(20_240_501);
    let mut events: Vec<Event> = Vec::new();
    let mut placed = OPENING;
    for id in 1..=ORDERS {
        placed += dice.between(200, 3000);
        order::append(&mut events, &mut dice, id, placed);
    }
    poison::append(&mut events, OPENING, placed);
    arrive(&mut events, &mut dice);
    events.iter().map(Event::line).collect()
}

/// Sorts by arrival. Most events come as they happen; some come late by up to four seconds, so that their neighbours
/// overtake them.
fn arrive(events: &mut [Event], dice: &mut Dice) {
    for event in events.iter_mut() {
        event.arrival += if dice.chance(12) { dice.between(500, 4000) } else { dice.between(0, 40) };
    }
    // The sort is stable: what arrives at the same time stays in the order it was made in.
    events.sort_by_key(|event| event.arrival);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_samples_are_those_that_the_generator_writes() {
        for (name, lines) in SAMPLES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../samples/{name}.jsonl"));
            let committed = std::fs::read_to_string(path).unwrap();
            assert!(committed == lines(), "samples/{name}.jsonl is out of date: run `just samples`");
        }
    }
}

//! What the samples of the analytics have in common: customers, products, and how their events arrive.

use crate::OPENING;
use crate::dice::Dice;
use crate::event::Event;

pub(crate) const MINUTE: i64 = 60_000;

/// Categories with the numbers of their products.
const CATEGORIES: [&str; 5] = ["books", "coffee", "garden", "music", "zażółć"];

pub(crate) const REGIONS: [&str; 4] = ["EU", "NA", "APAC", "LATAM"];

/// Lines of a sample, in the order of arrival.
pub(crate) fn lines(seed: u64, append: fn(&mut Vec<Event>, &mut Dice)) -> String {
    let (mut events, mut dice) = (Vec::new(), Dice::new(20_240_501 + seed));
    append(&mut events, &mut dice);
    let again: Vec<Event> = events.iter().filter_map(|event| delivered_again(&mut dice, event)).collect();
    events.extend(again);
    crate::arrive(&mut events, &mut dice);
    events.iter().map(Event::line).collect()
}

/// One record in thirty comes twice.
fn delivered_again(dice: &mut Dice, event: &Event) -> Option<Event> {
    dice.chance(3).then(|| Event { arrival: event.arrival + dice.between(1, 3000), ..event.clone() })
}

/// A customer of the crowd. Customers of a scene have names of their own.
pub(crate) fn customer(dice: &mut Dice) -> String {
    format!("c-{:02}", dice.between(1, 24))
}

/// A product with its category.
pub(crate) fn product(dice: &mut Dice) -> (String, &'static str) {
    let category = dice.pick(&CATEGORIES);
    (format!("{}-{}", category.chars().take(2).collect::<String>(), dice.between(1, 4)), category)
}

/// The times of this many events, one after the other, from so many minutes after the opening on.
pub(crate) fn times(dice: &mut Dice, count: usize, from: i64, gap: (i64, i64)) -> Vec<i64> {
    let mut time = OPENING + from * MINUTE;
    let mut next = || {
        time += dice.between(gap.0, gap.1);
        time
    };
    (0..count).map(|_| next()).collect()
}

/// The event happened long before it arrives: so long that its windows are closed.
pub(crate) fn late(event: Event, by: i64) -> Event {
    Event { timestamp: event.timestamp - by, ..event }
}

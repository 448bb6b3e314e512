//! A processor: stores and timers of its own.
//!
//! ```text
//! [[process]]
//! name = "await-payment"
//! from = ["orders", "payments"]
//! call = "payments.await_payment"
//! ```

use std::time::Duration;

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Record};

/// The time limit of a payment, in event time.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Waits for the payments of a customer's orders. Once a day of the wall clock, it reminds a customer with debts.
#[process(on_timer = due)]
fn await_payment(
    customer: Key<String>,
    event: Doc,
    open: Store<(String, i64), Open>,
    debts: Store<String, u64>,
    timers: Timers,
    ctx: Ctx,
) -> Result<Option<String>> {
    let order = event.i64("order")?;
    let place = (customer.0.clone(), order);
    if ctx.input() == "payments" {
        let Some(Open { amount }) = open.get(&place)? else { return Ok(None) };
        settle(&place, open, debts)?;
        timers.cancel(&order.to_string(), Clock::Stream);
        return Ok(Some(format!("order {order}: {amount} paid")));
    }
    open.put(&place, &Open { amount: event.i64("amount")? })?;
    debts.put(&customer, &debts.get(&customer)?.unwrap_or(0).saturating_add(1))?;
    timers.set_after(&order.to_string(), PATIENCE, Clock::Stream);
    timers.set_after("remind", Duration::from_secs(24 * 60 * 60), Clock::Wall);
    Ok(None)
}

/// The time for a payment is over, or a reminder of open orders is due.
#[on_timer]
fn due(
    customer: Key<String>,
    timer: Timer,
    open: Store<(String, i64), Open>,
    debts: Store<String, u64>,
    timers: Timers,
) -> Result<Option<String>> {
    if timer.name == "remind" {
        if debts.get(&customer)?.is_none() {
            return Ok(None);
        }
        // All of the customer's orders, in the order of their numbers.
        let amounts = open.prefix(&customer.0).map(|entry| Ok(entry?.1.amount));
        let total: i64 = amounts.collect::<Result<Vec<_>>>()?.iter().sum();
        timers.set_after("remind", Duration::from_secs(24 * 60 * 60), Clock::Wall);
        return Ok(Some(format!("{} owes {total}", customer.0)));
    }
    let order: i64 = timer.name.parse()?;
    settle(&(customer.0, order), open, debts)?;
    Ok(Some(format!("order {order}: cancelled, not paid")))
}

/// Closes an order.
fn settle(place: &(String, i64), open: Store<(String, i64), Open>, debts: Store<String, u64>) -> Result<()> {
    open.delete(place);
    match debts.get(&place.0)?.unwrap_or(0) {
        0 | 1 => debts.delete(&place.0),
        more => debts.put(&place.0, &(more - 1))?,
    }
    Ok(())
}

/// An order that isn't paid.
#[derive(serde::Serialize, serde::Deserialize)]
struct Open {
    amount: i64,
}

impl State for Open {
    const VERSION: u32 = 1;
}

plugin! { name: "payments", functions: [await_payment] }

fn main() {
    let mut bench = Bench::new(&PLUGIN);
    bench.process("await_payment", &order(1, 12, 0));
    bench.process("await_payment", &order(2, 30, 0));
    let paid = bench.process("await_payment", &payment(1, 0));
    println!("{}", paid.texts().concat());
    for outcome in bench.advance("await_payment", Clock::Stream, 15 * 60 * 1000) {
        println!("{}", outcome.texts().concat());
    }
}

fn order(number: i64, amount: i64, time: i64) -> Record {
    Record::new("ann", format!(r#"{{"order":{number},"amount":{amount}}}"#)).from("orders").at(time)
}

fn payment(number: i64, time: i64) -> Record {
    Record::new("ann", format!(r#"{{"order":{number}}}"#)).from("payments").at(time)
}

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::Outcome;

    use super::*;

    const MINUTE: i64 = 60 * 1000;
    const DAY: i64 = 24 * 60 * MINUTE;

    fn texts(outcomes: &[Outcome]) -> Vec<String> {
        outcomes.iter().flat_map(Outcome::texts).collect()
    }

    #[test]
    fn an_order_that_is_paid_in_time_is_not_cancelled() {
        let mut bench = Bench::new(&PLUGIN);
        let outcomes = bench.process_all("await_payment", &[order(1, 12, 0), payment(1, 14 * MINUTE)]);
        assert_eq!(texts(&outcomes), ["order 1: 12 paid"]);
        assert!(bench.advance("await_payment", Clock::Stream, DAY).is_empty());
    }

    #[test]
    fn an_order_that_is_not_paid_is_cancelled_when_its_time_is_over() {
        let mut bench = Bench::new(&PLUGIN);
        // Its time is over with the record that moves the clock there; the outputs of this record come first.
        let records = [order(1, 12, 0), order(2, 30, 15 * MINUTE), payment(1, 16 * MINUTE), payment(2, 30 * MINUTE)];
        let outcomes = bench.process_all("await_payment", &records);
        assert_eq!(texts(&outcomes), ["order 1: cancelled, not paid", "order 2: 30 paid"]);
    }

    #[test]
    fn who_has_debts_is_reminded_every_day_of_the_drivers_clock() {
        let mut bench = Bench::new(&PLUGIN);
        bench.process_all("await_payment", &[order(1, 12, 0), order(2, 30, 0)]);
        assert_eq!(texts(&bench.advance("await_payment", Clock::Wall, DAY)), ["ann owes 42"]);
        bench.process("await_payment", &payment(1, 0));
        assert_eq!(texts(&bench.advance("await_payment", Clock::Wall, 2 * DAY)), ["ann owes 30"]);
        bench.process("await_payment", &payment(2, 0));
        assert_eq!(texts(&bench.advance("await_payment", Clock::Wall, 3 * DAY)), [""; 0]);
        assert_eq!(bench.timer("await_payment", "ann", "remind", Clock::Wall), None);
    }

    #[test]
    fn what_an_event_without_a_number_would_do_is_undone() {
        let mut bench = Bench::new(&PLUGIN);
        let broken = Record::new("ann", r#"{"order":1,"amount":"much"}"#).from("orders");
        assert!(bench.process("await_payment", &broken).failure().contains("amount"));
        assert_eq!(bench.stored::<String, u64>("await_payment", "debts", &"ann".into()), None);
    }
}

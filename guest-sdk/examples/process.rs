//! A processor: stores and timers of its own.

use std::time::Duration;

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Record};

/// Waits for the payment of an order, for 15 minutes of event time.
#[process(on_timer = give_up)]
fn await_payment(
    order: Key<String>,
    event: Doc,
    open: Store<String, Open>,
    timers: Timers,
    ctx: Ctx,
) -> Result<Option<String>> {
    if ctx.input() == "payments" {
        let was_open = open.get(&order)?.is_some();
        open.delete(&order);
        timers.cancel("payment", Clock::Stream);
        return Ok(was_open.then(|| format!("{} is paid", order.0)));
    }
    open.put(&order, &Open { amount: event.f64("amount")? })?;
    timers.set_after("payment", Duration::from_secs(15 * 60), Clock::Stream);
    Ok(None)
}

/// Nobody paid.
#[on_timer]
fn give_up(order: Key<String>, open: Store<String, Open>) -> Result<Option<String>> {
    let Some(Open { amount }) = open.get(&order)? else { return Ok(None) };
    open.delete(&order);
    Ok(Some(format!("{} is cancelled: {amount} not paid", order.0)))
}

/// An order that isn't paid.
#[derive(serde::Serialize, serde::Deserialize)]
struct Open {
    amount: f64,
}

impl State for Open {
    const VERSION: u32 = 1;
}

plugin! { name: "payments", functions: [await_payment] }

fn main() {
    let mut bench = Bench::new(&PLUGIN);
    let order = |key: &str| Record::new(key, r#"{"amount":12.5}"#).from("orders");
    bench.process("await_payment", &order("first"));
    bench.process("await_payment", &order("second"));
    let paid = bench.process("await_payment", &Record::new("first", "{}").from("payments"));
    println!("{}", paid.texts().concat());
    for outcome in bench.advance("await_payment", Clock::Stream, 15 * 60 * 1000) {
        println!("{}", outcome.texts().concat());
    }
}

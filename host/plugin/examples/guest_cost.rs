//! The cost of a guest: joins realistic pairs of orders in the `order-status` plugin and prints microseconds per pair.
//!
//! ```text
//! cargo run -p millrace-plugin --example guest_cost -- order_status.wasm
//! ```
//! Prints CPU time (of this thread, from /proc), the median of several runs, for batches of 100, 10 and 1, and the cost of
//! a fresh instance. Build it as for a release (see the justfile) for meaningful figures.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement stops where something is wrong")]

use std::time::{Duration, Instant};

use millrace_engine::logic::Logic;
use millrace_engine::ports::{Attempt, DeploymentId, FunctionId, Message, Outcome, Pair};
use millrace_engine::topology::GuestLimits;
use millrace_plugin::{GuestInstances, PluginSettings, Runtime};

const PAIRS: usize = 20_000;
const RUNS: usize = 7;
const PASSES: u32 = 5;

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| "order_status.wasm".into());
    let runtime = Runtime::new(None).unwrap();
    let start = Instant::now();
    let plugin = runtime
        .load(&std::fs::read(&path).unwrap(), &path, &PluginSettings::new("{}", GuestLimits::default()))
        .unwrap();
    println!("load (compile, describe, configure): {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let function = FunctionId { deployment: DeploymentId(0), function: 0 };
    let deploy = || GuestInstances::of([(function.deployment, plugin.clone())]);
    let mut guests = deploy();

    let orders: Vec<Order> = (0..PAIRS).map(Order::new).collect();
    let pairs: Vec<Pair<'_>> = orders.iter().map(Order::pair).collect();
    println!("a stock order has {} bytes", orders[0].stock.len());
    for batch in [100, 10, 1] {
        let time = median(|| pairs.chunks(batch).for_each(|pairs| join(&mut guests, function, pairs)));
        println!("batches of {batch:>3}: {:.2} us a pair", micros(time, PAIRS));
    }
    let fresh = median(|| {
        for pair in pairs.iter().take(1000) {
            guests = deploy();
            join(&mut guests, function, std::slice::from_ref(pair));
        }
    });
    println!("a fresh instance, configured, with one pair: {:.1} us", micros(fresh, 1000));
    let verdict = median(|| {
        for pair in pairs.iter().take(1000) {
            guests.join(function, std::slice::from_ref(pair), Attempt::Verdict).unwrap();
        }
    });
    println!("a verdict on one pair: {:.1} us", micros(verdict, 1000));
}

fn join(guests: &mut GuestInstances, function: FunctionId, pairs: &[Pair<'_>]) {
    let called = guests.join(function, pairs, Attempt::Batch).unwrap();
    assert!(called.result.iter().all(|outcome| matches!(outcome, Outcome::Outputs(outputs) if outputs.len() == 1)));
}

fn median(mut run: impl FnMut()) -> Duration {
    run();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = cpu_time();
            (0..PASSES).for_each(|_| run());
            (cpu_time() - start) / PASSES
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

/// CPU time of this thread. The kernel brings it up to date once a tick (up to 4 ms), so runs must be much longer.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn micros(time: Duration, n: usize) -> f64 {
    time.as_secs_f64() * 1e6 / n as f64
}

/// An order as both services answer it.
struct Order {
    key: [u8; 8],
    payment: String,
    stock: String,
}

impl Order {
    fn new(id: usize) -> Self {
        let status = |step: usize| if id.is_multiple_of(step) { "REJECT" } else { "ACCEPT" };
        let order = |status: &str, source: &str| {
            format!(
                r#"{{"id":{id},"customerId":{},"productId":{},"productCount":{},"price":{},"status":"{status}","source":"{source}","createdAt":"2026-03-14T09:26:53.589Z","currency":"EUR","channel":"web","shippingAddress":{{"street":"Rue de la Loi 16","city":"Brussels","postalCode":"1000","country":"BE"}},"note":"please ring twice, the bell is broken"}}"#,
                id * 7 % 10_007,
                id * 13 % 1_009,
                id % 9 + 1,
                id % 1000 + 1,
            )
        };
        Self { key: (id as u64).to_be_bytes(), payment: order(status(11), "PAYMENT"), stock: order(status(7), "STOCK") }
    }

    fn pair(&self) -> Pair<'_> {
        let message = |input, value| Message {
            input,
            key: Some(&self.key),
            value: Some(value),
            timestamp: 1_773_480_413_589,
            headers: &[],
            window: None,
        };
        Pair {
            key: Some(&self.key),
            left: Some(message("payments", self.payment.as_bytes())),
            right: Some(message("stock", self.stock.as_bytes())),
            timestamp: 1_773_480_413_589,
        }
    }
}

//! Measures the rule natively: `cargo run --release -p order-status --example native_rule`.
//!
//! It prints the microseconds for one pair of orders, in batches of 100 through the guest's adapter, to compare them
//! with those of the guest.

#![allow(clippy::indexing_slicing, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use millrace_sdk::testing::Bench;

const BATCH: usize = 100;
const CALLS: usize = 50;
const ROUNDS: usize = 400;

fn main() {
    let pairs: Vec<(String, String)> = (0..BATCH).map(pair).collect();
    let borrowed: Vec<(&[u8], &[u8])> = pairs.iter().map(|(l, r)| (l.as_bytes(), r.as_bytes())).collect();
    let mut bench = Bench::new(&order_status::PLUGIN);
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round(&mut bench, &borrowed)).collect();
    // Other processes may disturb a round: the best one was disturbed least.
    rounds.sort_by(f64::total_cmp);
    let (best, median) = (rounds[0], rounds[ROUNDS / 2]);
    let bytes = borrowed.iter().map(|(left, right)| left.len() + right.len()).sum::<usize>() / BATCH;
    println!("resolve, native: best {best:.3}, median {median:.3} us a pair of {bytes} bytes, in batches of {BATCH}");
}

/// Microseconds for a pair.
fn round(bench: &mut Bench, pairs: &[(&[u8], &[u8])]) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        let failed = bench.join_values("resolve", black_box(pairs), |value| {
            black_box(value);
        });
        assert_eq!(failed, 0, "all pairs are good");
    }
    start.elapsed().as_secs_f64() * 1e6 / (CALLS * BATCH) as f64
}

/// Two orders of about 250 bytes, of all combinations of answers.
fn pair(n: usize) -> (String, String) {
    let status = |accepts: bool| if accepts { "ACCEPT" } else { "REJECT" };
    let order = |status: &str, source: &str| {
        format!(
            r#"{{"id":{id},"customerId":{customer},"productId":{product},"productCount":{count},"price":{price}.50,"status":"{status}","source":"{source}","placedAt":"2024-05-17T09:31:{second:02}.120Z","channel":"web","note":"leave at the door, ring twice","address":{{"street":"12 Mill Lane","city":"Stroud"}}}}"#,
            id = 100_000 + n,
            customer = n % 37,
            product = n % 11,
            count = 1 + n % 5,
            price = 10 + n * 7 % 900,
            second = n % 60,
        )
    };
    (order(status(n % 4 < 3), "PAYMENT"), order(status(n % 5 < 4), "INVENTORY"))
}

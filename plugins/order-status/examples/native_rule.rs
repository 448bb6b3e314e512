//! How long the rule takes when it runs natively: `cargo run --release -p order-status --example native_rule`.
//!
//! It prints microseconds for one pair of orders, called in batches of 100 through the adapter that the guest has
//! too: the figure that the guest's own is compared with.

use std::hint::black_box;
use std::time::Instant;

use millrace_sdk::testing::Bench;

const BATCH: usize = 100;
const ROUNDS: usize = 20_000;

fn main() {
    let pairs: Vec<(String, String)> = (0..BATCH).map(pair).collect();
    let borrowed: Vec<(&[u8], &[u8])> = pairs.iter().map(|(l, r)| (l.as_bytes(), r.as_bytes())).collect();
    let bytes: usize = borrowed.iter().map(|(left, right)| left.len() + right.len()).sum();
    let mut bench = Bench::new(&order_status::PLUGIN);
    // One round first, so that memory is warm.
    for rounds in [ROUNDS / 10, ROUNDS] {
        let start = Instant::now();
        let mut written = 0;
        for _ in 0..rounds {
            let failed = bench.join_values("resolve", black_box(&borrowed), |value| written += value.len());
            assert_eq!(failed, 0, "all pairs are good");
        }
        let calls = rounds * BATCH;
        let micros = start.elapsed().as_secs_f64() * 1e6 / calls as f64;
        if rounds == ROUNDS {
            let (read, wrote) = (bytes / BATCH, written / calls);
            println!("resolve, native: {micros:.3} us a pair ({calls} pairs, {read} bytes read, {wrote} written each)");
        }
    }
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

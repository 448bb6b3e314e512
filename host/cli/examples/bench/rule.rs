//! The cost of the rule alone: in the guest, and natively through the same adapter. Both are called as the engine calls
//! them, and return outcomes that own their bytes.

use std::time::Duration;

use bytes::Bytes;
use cpu_time::ThreadTime;
use millrace_cli::args;
use millrace_cli::load::load;
use millrace_engine::logic::Logic;
use millrace_engine::ports::{Attempt, DeploymentId, Field, FunctionId, Message, Outcome, Output, Pair};
use millrace_sdk::testing::Bench;

use crate::load::{Random, order};

const BATCH: usize = 500;
const ROUNDS: u32 = 400;
const RUNS: usize = 7;

/// Prints microseconds per pair, the median of several alternating runs.
pub(crate) fn compare() {
    let mut random = Random(2);
    let orders: Vec<(String, String)> =
        (0..BATCH as u64).map(|id| (order(id, "PAYMENT", &mut random), order(id, "STOCK", &mut random))).collect();
    let keys: Vec<[u8; 8]> = (0..BATCH as i64).map(i64::to_be_bytes).collect();
    let pairs: Vec<Pair<'_>> = orders.iter().zip(&keys).map(|((left, right), key)| pair(key, left, right)).collect();
    let values: Vec<(&[u8], &[u8])> = orders.iter().map(|(left, right)| (left.as_bytes(), right.as_bytes())).collect();

    let loaded = load(&args::Pipeline {
        files: vec![crate::pipeline()],
        set: Vec::new(),
        set_file: Vec::new(),
        more: Vec::new(),
    })
    .unwrap();
    let mut guests = loaded.guests();
    let function = FunctionId { deployment: DeploymentId(0), function: 0 };
    let mut guest = || assert_eq!(guests.join(function, &pairs, Attempt::Batch).unwrap().result.len(), BATCH);
    let mut bench = Bench::new(&order_status::PLUGIN);
    let mut native = || {
        let mut outcomes = Vec::with_capacity(BATCH);
        let failed = bench.join_values("resolve", &values, |value| outcomes.push(outcome(value)));
        assert_eq!((failed, outcomes.len()), (0, BATCH));
    };

    let runs: Vec<(f64, f64)> = (0..=RUNS).map(|_| (time(&mut guest), time(&mut native))).skip(1).collect();
    let guest = median(runs.iter().map(|run| run.0));
    let native = median(runs.iter().map(|run| run.1));
    println!("| the rule in a guest, {BATCH} pairs a call | {guest:.2} us a pair |");
    println!("| the rule natively | {native:.2} us a pair |");
    println!("| guest to native | {:.2} |", guest / native);
}

fn outcome(value: &[u8]) -> Outcome {
    let value = Field::Bytes(Bytes::copy_from_slice(value));
    Outcome::Outputs(vec![Output { port: 0, key: Field::Inherit, value, timestamp: None, headers: None }])
}

fn pair<'a>(key: &'a [u8], left: &'a str, right: &'a str) -> Pair<'a> {
    let message = |input, value: &'a str| Message {
        input,
        key: Some(key),
        value: Some(value.as_bytes()),
        timestamp: 0,
        headers: &[],
        window: None,
    };
    Pair { key: Some(key), left: Some(message("payments", left)), right: Some(message("stock", right)), timestamp: 0 }
}

fn time(call: &mut impl FnMut()) -> f64 {
    let start = ThreadTime::now();
    (0..ROUNDS).for_each(|_| call());
    let spent: Duration = start.elapsed();
    spent.as_secs_f64() * 1e6 / f64::from(ROUNDS) / BATCH as f64
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

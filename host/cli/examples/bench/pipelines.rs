//! What the other pipelines that ship cost: each over records of its own, in a process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use millrace_cli::load::load;
use millrace_cli::{args, data};
use millrace_embedded::WorkerOptions;
use millrace_embedded::log::{NewRecord, Tail};
use millrace_embedded::run::{self, RunOptions};
use millrace_engine::partitioner::partition_of;

use crate::load::{Random, write};
use crate::measure::peak_memory;
use crate::timed::Timed;

/// The pipelines, with the record that comes next: its topic, its key and its value.
pub(crate) const PIPELINES: [(&str, Next); 5] = [
    ("customer-activity", activity),
    ("order-enrichment", enrichment),
    ("fraud-scoring", payment),
    ("recommendations", recommendation),
    ("dynamic-pricing", sale),
];

type Next = fn(u64, &mut Random) -> (&'static str, String, String);

/// Customers: each has some six records in five minutes.
const CUSTOMERS: u64 = 10_000;

/// Milliseconds of event time from one record to the next.
const STEP: i64 = 5;

/// Records come this much out of order at most, in milliseconds of event time.
const DISORDER: u64 = 500;

const KINDS: [&str; 6] = ["VIEW", "VIEW", "VIEW", "ADD_TO_CART", "PURCHASE", "SEARCH"];
const CATEGORIES: [&str; 8] = ["books", "coffee", "garden", "music", "shoes", "tea", "toys", "wine"];
const PLACES: [&str; 6] = ["Berlin", "Lagos", "Lima", "Osaka", "Paris", "Rome"];

fn one<'a>(of: &[&'a str], random: &mut Random) -> &'a str {
    of.get(random.below(of.len() as u64) as usize).copied().unwrap_or_default()
}

fn customer(random: &mut Random) -> String {
    format!("customer-{}", random.below(CUSTOMERS))
}

fn activity(id: u64, random: &mut Random) -> (&'static str, String, String) {
    let (customer, kind, category) = (customer(random), one(&KINDS, random), one(&CATEGORIES, random));
    let product = random.below(1000);
    let value = format!(
        r#"{{"eventId":"e-{id}","customerId":"{customer}","activityType":"{kind}","productId":"p-{product}","category":"{category}","note":"{}"}}"#,
        "x".repeat(100)
    );
    ("bss.customer.events", customer, value)
}

fn sale(id: u64, random: &mut Random) -> (&'static str, String, String) {
    let (customer, product, place) = (customer(random), random.below(1000), one(&PLACES, random));
    let (price, count) = (1 + random.below(300), 1 + random.below(5));
    let value = format!(
        r#"{{"orderId":"o-{id}","customerId":"{customer}","productId":"p-{product}","region":"{place}","amount":{}.50,"unitPrice":{price}.10,"status":"NEW","note":"{}"}}"#,
        price * count,
        "x".repeat(80)
    );
    ("bss.order.events", customer, value)
}

/// One record in five is a row of a customer.
fn enrichment(id: u64, random: &mut Random) -> (&'static str, String, String) {
    if !id.is_multiple_of(5) {
        return sale(id, random);
    }
    let customer = customer(random);
    let value =
        format!(r#"{{"customerId":"{customer}","name":"Ms {id}","tier":"GOLD","region":"{}"}}"#, one(&PLACES, random));
    ("bss.customer.info", customer, value)
}

fn payment(id: u64, random: &mut Random) -> (&'static str, String, String) {
    let (customer, place, amount) = (customer(random), one(&PLACES, random), 1 + random.below(200));
    let value = format!(
        r#"{{"paymentId":"p-{id}","customerId":"{customer}","amount":{amount}.25,"currency":"EUR","location":"{place}","status":"OK","note":"{}"}}"#,
        "x".repeat(100)
    );
    ("bss.payment.events", customer, value)
}

/// Half of the records are views.
fn recommendation(id: u64, random: &mut Random) -> (&'static str, String, String) {
    if id.is_multiple_of(2) {
        return activity(id, random);
    }
    let (customer, product, category) = (customer(random), random.below(1000), one(&CATEGORIES, random));
    let value = format!(
        r#"{{"customerId":"{customer}","productId":"p-{product}","category":"{category}","note":"{}"}}"#,
        "x".repeat(120)
    );
    ("bss.product.views", customer, value)
}

/// Loads a log and has the pipeline measured over it.
pub(crate) fn measure((name, next): (&str, Next), records: u64, partitions: u32, place: &Path) {
    let data = place.join("data");
    fill(next, &data, records, partitions);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--measure").arg("--pipeline").arg(file(name)).arg("--data").arg(&data);
    assert!(command.status().unwrap().success(), "the measured process failed");
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(format!("pipelines/{name}.toml"))
}

fn fill(next: Next, folder: &Path, records: u64, partitions: u32) {
    let (database, log) = data::open(folder, &[]).unwrap();
    let (mut random, mut tail, mut topics) = (Random(1), Tail::new(&log), BTreeMap::new());
    for id in 0..records {
        let (topic, key, value) = next(id, &mut random);
        let topic = *topics.entry(topic).or_insert_with(|| log.create_topic(topic, partitions).unwrap());
        let late = if random.below(3) == 0 { random.below(DISORDER) as i64 } else { 0 };
        let time = 1_700_000_000_000 + id as i64 * STEP - late;
        let partition = partition_of(Some(key.as_bytes()), 0, partitions);
        tail.append(topic, partition, NewRecord::new(time, key.into_bytes(), value)).unwrap();
        if tail.bytes() > 8 << 20 {
            write(&database, &log, &mut tail);
        }
    }
    write(&database, &log, &mut tail);
}

/// Runs a pipeline until it is idle, and prints its row.
pub(crate) fn run(pipeline: &Path, folder: &Path) {
    let loaded =
        load(&args::Pipeline { files: vec![pipeline.into()], set: Vec::new(), set_file: Vec::new(), more: Vec::new() })
            .unwrap();
    let (mut worker, guests) = data::open_worker(&loaded, folder, WorkerOptions::default()).unwrap();
    let (input, mut logic) = (worker.lag(), Timed::new(guests));
    let options = RunOptions {
        commit_interval: loaded.topology.settings.commit_interval,
        until_idle: true,
        inbox: run::inbox_of(folder),
        deployer: None,
    };
    let start = Instant::now();
    run::run(&mut worker, &mut logic, options, &AtomicBool::new(false), |_| ()).unwrap();
    let wall = start.elapsed();
    let cpu = ProcessTime::try_now().unwrap().as_duration();
    let per = |time: Duration| time.as_secs_f64() * 1e6 / input as f64;
    println!(
        "| {} | {input} | {:.2} | {:.2} | {:.0} | {:.0} | {} | {} |",
        pipeline.file_stem().unwrap_or_default().to_string_lossy(),
        per(cpu),
        per(logic.spent),
        logic.records as f64 / logic.calls as f64,
        input as f64 / wall.as_secs_f64(),
        worker.ledger().produced,
        peak_memory() >> 20,
    );
}

//! The cost of each operator: runs the pipelines in benches/operators over the same records, each in a process of its
//! own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cpu_time::ProcessTime;
use millrace_cli::load::load;
use millrace_cli::{args, data};
use millrace_embedded::WorkerOptions;
use millrace_embedded::log::{NewRecord, Tail};
use millrace_embedded::run::{self, RunOptions};
use millrace_engine::partitioner::partition_of;
use millrace_store::Database;

use crate::load::{Random, write};
use crate::measure::peak_memory;

/// Records are out of order by at most this many milliseconds of event time; one arrives every millisecond.
const DISORDER: u64 = 500;

/// Keys in use.
const KEYS: u64 = 10_000;

/// The names of the pipelines, in order.
pub(crate) fn names() -> Vec<String> {
    let files =
        std::fs::read_dir(folder()).unwrap_or_else(|error| panic!("benches/operators: {error}; run it by `just`"));
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_owned())).collect();
    names.sort();
    names
}

fn folder() -> PathBuf {
    PathBuf::from("benches/operators")
}

/// Loads a log and has the pipeline measured over it.
pub(crate) fn measure(name: &str, records: u64, partitions: u32, place: &Path) {
    let pipeline = place.join(format!("{name}.toml"));
    std::fs::copy(folder().join(format!("{name}.toml")), &pipeline).unwrap();
    let guests = std::env::var_os("MILLRACE_GUESTS").expect("MILLRACE_GUESTS says where guests lie; `just` sets it");
    std::fs::copy(Path::new(&guests).join("operators.wasm"), place.join("operators.wasm")).unwrap();
    let data = place.join("data");
    fill(&data, records, partitions);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--measure").arg("--operator").arg(&pipeline).arg("--data").arg(&data);
    assert!(command.status().unwrap().success(), "the measured process failed");
    std::fs::remove_dir_all(&data).unwrap();
}

/// Each of two topics gets half of the records. A pipeline that reads one topic ignores the other half.
fn fill(folder: &Path, records: u64, partitions: u32) {
    let (database, log) = data::open(folder, &[]).unwrap();
    let topics = ["left", "right"].map(|name| log.create_topic(name, partitions).unwrap());
    log.create_topic("out", partitions).unwrap();
    let (mut random, mut tail) = (Random(1), Tail::new(&log));
    for id in 0..records {
        let key = (random.below(KEYS) as i64).to_be_bytes().to_vec();
        let late = if random.below(3) == 0 { random.below(DISORDER) } else { 0 };
        let time = 1_700_000_000_000 + (id - late.min(id)) as i64;
        let value = format!(r#"{{"id":{id},"amount":{},"note":"{}"}}"#, random.below(1000), "x".repeat(80));
        let partition = partition_of(Some(&key), 0, partitions);
        for topic in topics {
            tail.append(topic, partition, NewRecord::new(time, key.clone(), value.clone())).unwrap();
        }
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
    let (mut worker, mut guests) = data::open_worker(&loaded, folder, WorkerOptions::default()).unwrap();
    let database = Arc::clone(worker.log().database());
    let input = worker.lag();
    let options = RunOptions {
        commit_interval: loaded.topology.settings.commit_interval,
        until_idle: true,
        inbox: run::inbox_of(folder),
        deployer: None,
    };
    let mut disk = 0;
    let look = |disk: &mut u64| *disk = (*disk).max(on_disk(&database));
    run::run(&mut worker, &mut guests, options, &AtomicBool::new(false), |_| look(&mut disk)).unwrap();
    let cpu = ProcessTime::try_now().unwrap().as_duration();
    let name = pipeline.file_stem().unwrap_or_default().to_string_lossy();
    let ledger = worker.ledger();
    println!(
        "| {name} | {input} | {:.2} | {} | {} | {} |",
        cpu.as_secs_f64() * 1e6 / input as f64,
        ledger.produced,
        peak_memory() >> 20,
        disk >> 20,
    );
}

/// Bytes of the stores, in write buffers and on disk.
fn on_disk(database: &Database) -> u64 {
    let statistics = database.statistics().unwrap();
    statistics.stores.iter().map(|store| store.disk + store.write_buffers).sum()
}

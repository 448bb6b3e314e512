//! A jump of time: many products are seen within seconds, and the next view comes a day later. Then the windows of all
//! products are over at once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use millrace_cli::load::load;
use millrace_cli::{args, data};
use millrace_embedded::log::{NewRecord, Tail};
use millrace_embedded::run::{self, RunOptions};
use millrace_embedded::{Worker, WorkerOptions};
use millrace_engine::logic::Logic;
use millrace_engine::topology::TopicId;

use crate::load::write;
use crate::measure::{peak_memory, status};
use crate::timed::Timed;

/// The name of these rows.
pub(crate) const NAME: &str = "trending-jump";

/// When results come out: after each view, as in the file, and once for each window.
pub(crate) const EMITS: [&str; 2] = ["each", "final"];

const VIEWS: &str = "bss.product.views";

/// The first view: the start of an hour.
const START: i64 = 1_714_557_600_000;

/// The views of all products lie within this many milliseconds.
const SPREAD: u64 = 5_000;

const DAY: i64 = 86_400_000;

/// Loads the views and has the jump measured, in a process of its own. One partition, so that one task has all windows.
pub(crate) fn measure(emit: &str, products: u64, place: &Path) {
    let data = place.join("data");
    let (database, log) = data::open(&data, &[]).unwrap();
    let topic = log.create_topic(VIEWS, 1).unwrap();
    let mut tail = Tail::new(&log);
    for product in 0..products {
        let time = START + (product * SPREAD / products) as i64;
        tail.append(topic, 0, view(product, time)).unwrap();
        if tail.bytes() > 8 << 20 {
            write(&database, &log, &mut tail);
        }
    }
    write(&database, &log, &mut tail);
    drop((tail, log, database));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--measure").arg("--jump").arg(emit).arg("--data").arg(&data);
    assert!(command.status().unwrap().success(), "the measured process failed");
}

fn view(product: u64, time: i64) -> NewRecord {
    let value =
        format!(r#"{{"customerId":"c-{0}","productId":"product-{product}","category":"tea"}}"#, product % 10_000);
    NewRecord::new(time, format!("c-{}", product % 10_000).into_bytes(), value)
}

/// Processes the loaded views, then a view a day later, and prints the row of that jump.
pub(crate) fn run(emit: &str, folder: &Path) {
    let file = PathBuf::from("pipelines/recommendations.toml");
    let set = vec![("trending.emit".to_owned(), emit.into())];
    let loaded = load(&args::Pipeline { files: vec![file], set, set_file: Vec::new(), more: Vec::new() }).unwrap();
    let (mut worker, guests) = data::open_worker(&loaded, folder, WorkerOptions::default()).unwrap();
    let mut logic = Timed::new(guests);
    let interval = loaded.topology.settings.commit_interval;
    let products = worker.lag();
    let before = Commits::of(&mut worker, &mut logic, folder, interval);

    let topic = loaded.topology.topics.iter().position(|topic| topic.name == VIEWS).unwrap();
    worker.append(TopicId(topic), 0, view(0, START + DAY), 0, run::wall_clock()).unwrap();
    // The peak begins anew: https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (memory, start) = (status("VmRSS:"), Instant::now());
    (logic.longest, logic.most_groups) = (Duration::ZERO, 0);
    let jump = Commits::of(&mut worker, &mut logic, folder, interval);
    let took = start.elapsed();
    println!(
        "| {emit} | {products} | {} | {} | {:.1} | {} | {} | {:.1} | {:.1} | {} | {} | {} |",
        before.results,
        jump.results,
        took.as_secs_f64(),
        jump.number,
        jump.most_results,
        jump.longest.as_secs_f64() * 1e3,
        logic.longest.as_secs_f64() * 1e3,
        logic.most_groups,
        memory >> 20,
        peak_memory().saturating_sub(memory) >> 20,
    );
}

/// What the commits of a run have shown.
#[derive(Default)]
struct Commits {
    number: u64,
    /// Records written by all of them, and by the largest.
    results: u64,
    most_results: u64,
    /// The longest time from one commit to the end of the next.
    longest: Duration,
}

impl Commits {
    fn of(worker: &mut Worker, logic: &mut dyn Logic, folder: &Path, commit_interval: Duration) -> Self {
        let options = RunOptions { commit_interval, until_idle: true, inbox: run::inbox_of(folder), deployer: None };
        let (mut commits, mut last) = (Self::default(), Instant::now());
        run::run(worker, logic, options, &AtomicBool::new(false), |progress| {
            let Some(committed) = progress.committed else { return };
            commits.number += 1;
            commits.results += committed.produced;
            commits.most_results = commits.most_results.max(committed.produced);
            commits.longest = commits.longest.max(last.elapsed());
            last = Instant::now();
        })
        .unwrap();
        commits
    }
}

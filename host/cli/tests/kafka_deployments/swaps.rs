//! Many swaps under load, in three processes with two workers each. In a third of the swaps a process dies in the
//! middle of one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::load::{Feed, Gaps};
use crate::support::{Dice, Running, until};
use crate::{App, app};

/// Swaps of a test run; `MILLRACE_SWAPS` has another number.
const SWAPS: u64 = 9;

const PARTITIONS: u32 = 6;

/// Records a second; `MILLRACE_RATE` has another number.
const RATE: u64 = 2_000;

/// Where a process dies: as it has loaded the next version, or at its first or last worker's swap.
const FAULTS: [&str; 6] =
    ["plugins-loaded:1", "swap-begun:1", "swap-committed:1", "swap-committed:2", "swapped:1", "swapped:2"];

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Deploys the version that calls itself by this number.
fn deploy(app: &App, number: u64, more: &str) {
    app.millrace(&format!("deploy swap.toml --plugin swap=swap.wasm --config tag=v{number:05} --yes {more}"));
}

#[test]
fn each_record_is_processed_once_over_many_swaps_and_no_partition_goes_back_although_processes_die() {
    let Some(app) = app("swapping", PARTITIONS) else { return };
    let start = |data: &str, fault| {
        let mut process = app.start(data, "", fault);
        process.logged("running");
        process
    };
    let data = ["one", "two", "three"];
    let mut processes: Vec<Running> = data.iter().map(|data| start(data, None)).collect();
    let (swaps, rate) = (number("MILLRACE_SWAPS", SWAPS), number("MILLRACE_RATE", RATE));
    let (stop, read_all, gaps) = (AtomicBool::new(false), AtomicBool::new(false), Gaps::default());
    let (mut dice, mut deaths, mut undisturbed) = (Dice::new(11), 0, Vec::new());
    let feed = Feed { bootstrap: &app.bootstrap, topic: "swapping-in", keys: u64::MAX, rate, stop: &stop };
    let fed = std::thread::scope(|scope| {
        let fed = scope.spawn(|| feed.run());
        scope.spawn(|| gaps.watch(&app.bootstrap, ("swapping-out", PARTITIONS), &read_all));
        for number in 1..=swaps {
            let victim = (number % 3 == 0).then(|| dice.below(3) as usize);
            if let Some(victim) = victim {
                let fault = FAULTS[dice.below(FAULTS.len() as u64) as usize];
                assert_eq!(processes[victim].terminate().code(), Some(0));
                processes[victim] = start(data[victim], Some(fault));
            }
            if victim.is_none() {
                gaps.wait_until_steady();
            }
            // With a victim, not every process will run it.
            deploy(&app, number, if victim.is_some() { "" } else { "--wait" });
            match victim {
                Some(victim) => {
                    until("the process has died in the middle of the swap", || !processes[victim].is_running());
                    deaths += 1;
                    processes[victim] = start(data[victim], None);
                }
                None => undisturbed.push(gaps.take_longest()),
            }
        }
        stop.store(true, Ordering::Relaxed);
        let fed = fed.join().unwrap();
        until("all records are processed", || gaps.read.load(Ordering::Relaxed) >= fed);
        read_all.store(true, Ordering::Relaxed);
        fed
    });
    let results = app.results();
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0));
    }
    let mut numbers: Vec<_> = results.iter().map(|it| it.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..fed).collect::<Vec<_>>(), "each record once");
    let mut latest: BTreeMap<u64, String> = BTreeMap::new();
    for it in &results {
        // The version at the start calls itself `one`.
        let by = it.by.replace("one", "");
        let before = latest.insert(it.partition, by.clone()).unwrap_or_default();
        assert!(before <= by, "partition {}: {before} before {by}", it.partition);
    }
    let mut versions: Vec<_> = results.iter().map(|it| &it.by).collect();
    versions.sort_unstable();
    versions.dedup();
    let seen = versions.len() as u64;
    undisturbed.sort_unstable();
    let (median, longest) = (undisturbed[undisturbed.len() / 2], undisturbed.last().unwrap());
    eprintln!("{swaps} swaps, {deaths} deaths in the middle of one, {fed} records, {seen} versions in the results");
    eprintln!(
        "longest time without a committed result of a partition while a version is deployed and no process dies: median \
         {median:?}, longest {longest:?}"
    );
    assert!(seen > swaps / 2, "hardly a swap came between records: the test shows little");
}

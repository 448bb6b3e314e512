//! Canaries over three processes with two workers each: which keys they have, and that no key goes back.

use std::sync::atomic::{AtomicBool, Ordering};

use millrace_engine::canary::is_in_share;

use crate::latency::Latency;
use crate::load::{Feed, Gaps, StopAtEnd};
use crate::support::{Running, until};
use crate::{App, Tagged, app, records};

const PARTITIONS: u32 = 6;

/// Odd, so that each key has records with even and with odd numbers.
const KEYS: u64 = 601;

/// Records a second.
const RATE: u64 = 1_000;

const CANARY: &str =
    "deploy swap.toml --plugin swap=swap_next.wasm --yes --wait --canary 10%,40%,100% --min-records 200";

/// Runs something under load. Returns the number of records.
fn under_load(app: &App, act: impl FnOnce()) -> u64 {
    let (stop, read_all, gaps) = (AtomicBool::new(false), AtomicBool::new(false), Gaps::default());
    let (input, output) = (format!("{}-in", app.name), format!("{}-out", app.name));
    let feed = Feed { bootstrap: &app.bootstrap, topic: &input, keys: KEYS, rate: RATE, stop: &stop };
    std::thread::scope(|scope| {
        let fed = scope.spawn(|| feed.run());
        scope.spawn(|| gaps.watch(&app.bootstrap, (&output, PARTITIONS), &read_all));
        let _at_end = (StopAtEnd(&stop), StopAtEnd(&read_all));
        gaps.wait_until_steady();
        act();
        stop.store(true, Ordering::Relaxed);
        let fed = fed.join().unwrap();
        until("all records are processed", || gaps.read.load(Ordering::Relaxed) + app.failed().len() as u64 >= fed);
        read_all.store(true, Ordering::Relaxed);
        fed
    })
}

/// The step, from 0, in which a key comes to the canary of this generation.
fn step_of(number: u64, generation: u32) -> usize {
    let key = format!("k{}", number % KEYS);
    [1_000, 4_000].iter().take_while(|share| !is_in_share(key.as_bytes(), generation, **share)).count()
}

/// Checks that each record was processed once, and that in each partition the keys came to the canary in the order of
/// its steps: all of a step at once, and none went back.
fn check(results: &[Tagged], fed: u64) {
    let mut numbers: Vec<_> = results.iter().map(|it| it.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..fed).collect::<Vec<_>>(), "each record once");
    for partition in 0..u64::from(PARTITIONS) {
        // How many steps have begun.
        let mut begun = 0;
        for it in results.iter().filter(|it| it.partition == partition) {
            let step = step_of(it.number, 2);
            begun = begun.max(if it.by == "two" { step + 1 } else { 0 });
            let by = if step < begun { "two" } else { "one" };
            assert_eq!(it.by, by, "record {} of partition {partition} in step {begun}", it.number);
        }
        assert_eq!(begun, 3, "the last records of partition {partition}");
    }
    let keys =
        |step: usize| (0..KEYS).filter(|number| step_of(*number, 2) == step).count() as f64 / KEYS as f64 * 100.0;
    let shares = [keys(0), keys(0) + keys(1)];
    eprintln!("shares of {KEYS} keys for 10% and 40%: {:.1}% and {:.1}%; {fed} records", shares[0], shares[1]);
    assert!((shares[0] - 10.0).abs() < 4.0 && (shares[1] - 40.0).abs() < 6.0);
}

/// The generations whose change a process has logged, up to this one.
fn changes(process: &mut Running, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        seen.push(process.logged("deployment")["generation"].as_u64().unwrap());
    }
    seen
}

#[test]
fn a_canary_over_three_processes_goes_on_by_itself_and_no_key_goes_back() {
    let Some(app) = app("canaries", PARTITIONS) else { return };
    let mut processes = ["one", "two", "three"].map(|data| app.running(data));
    let fed = under_load(&app, || {
        app.millrace(&format!("{CANARY} --each 2s"));
        wait_for_all_keys(&app);
    });
    let (statuses, verdict) = app.statuses();
    assert_eq!(statuses, [(1, "superseded".into()), (2, "active".into())]);
    assert!(verdict.starts_with("0 of its "), "{verdict}");
    for process in &mut processes {
        // The canary, its second step, and that it is active.
        assert_eq!(changes(process, 4), [2, 3, 4]);
    }
    app.millrace("deployments rollback swap.toml --wait");
    assert_eq!(app.statuses().0.last(), Some(&(5, "active".into())), "no other change came between");
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0));
    }
    check(&app.results(), fed);
}

#[test]
fn a_canary_that_fails_is_aborted_by_its_processes_and_its_letters_name_it() {
    let Some(app) = app("aborted", PARTITIONS) else { return };
    let mut processes = ["one", "two", "three"].map(|data| app.running(data));
    let bad = "deploy swap.toml --plugin swap=swap.wasm --config harm=fail --config every=2 --config tag=bad --yes --wait \
               --canary 20%,100% --each 1h --min-records 300";
    let latency = Latency::default();
    let fed = under_load(&app, || {
        let read_all = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _at_end = StopAtEnd(&read_all);
            scope.spawn(|| latency.watch(&app, PARTITIONS, &read_all));
            let said = app.place.millrace(&format!("{bad} {}", app.kafka));
            assert_eq!(said.code, Some(4), "{said:?}");
            assert!(said.err.contains("`swap` generation 2 is aborted: "), "{said:?}");
        });
    });
    let (statuses, verdict) = app.statuses();
    assert_eq!(statuses, [(1, "active".into()), (2, "aborted".into())]);
    assert!(verdict.contains("%) of its results failed, and 0 of "), "{verdict}");
    for process in &mut processes {
        // The canary, and its end.
        assert_eq!(changes(process, 3), [2, 3]);
    }
    let canary = app.show(2)["component"].as_str().unwrap().to_owned();
    let (letters, failed) = (app.letters(), app.failed());
    assert!(letters.iter().all(|letter| letter["headers"].to_string().contains(&canary)));
    let results = app.results();
    let mut numbers: Vec<_> = results.iter().map(|it| it.number).chain(failed.iter().copied()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..fed).collect::<Vec<_>>(), "each record once, as a result or a letter");
    eprintln!("{} letters of {fed} records; {verdict}; {}", failed.len(), latency.said(200));
    app.write(&records(fed..fed + 300));
    let is_new = |it: &&Tagged| it.number >= fed;
    until("the active version has processed all keys", || app.results().iter().filter(is_new).count() == 300);
    assert!(app.results().iter().filter(is_new).all(|it| it.by == "one"));
    assert_eq!(app.letters().len(), letters.len());
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0));
    }
}

/// Waits until records of all keys and partitions that were written from now on are processed.
fn wait_for_all_keys(app: &App) {
    let before = app.results().iter().map(|it| it.number).max().unwrap_or(0);
    let is_done = |results: &[Tagged], partition| {
        results.iter().any(|it| it.partition == partition && it.number > before + 2 * KEYS)
    };
    until("each key has come in each partition", || {
        let results = app.results();
        (0..u64::from(PARTITIONS)).all(|partition| is_done(&results, partition))
    });
}

#[test]
fn the_keys_of_a_canary_stay_the_same_while_processes_come_go_and_die() {
    let Some(app) = app("rebalanced", PARTITIONS) else { return };
    let [mut one, two, three] = ["one", "two", "three"].map(|data| app.running(data));
    let mut processes = vec![three];
    let fed = under_load(&app, || {
        app.millrace(&format!("{} --each 1h", CANARY.replace("--wait ", "")));
        wait_for_all_keys(&app);
        assert_eq!(one.terminate().code(), Some(0));
        two.kill();
        processes.push(app.running("two"));
        wait_for_all_keys(&app);
        assert_eq!(app.statuses(), (vec![(1, "active".into()), (2, "canary".into())], String::new()));
        app.millrace("deployments promote swap.toml");
        // It has an empty folder, and learns all from the control topic.
        let mut fresh = app.start("four", "", None);
        let assigned = fresh.logged("assigned");
        assert!(assigned["tasks"].as_u64() > Some(0), "{assigned}");
        processes.push(fresh);
        wait_for_all_keys(&app);
        app.millrace("deployments promote swap.toml --full --wait");
        wait_for_all_keys(&app);
    });
    assert_eq!(app.statuses().0, [(1, "superseded".into()), (2, "active".into())]);
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0));
    }
    check(&app.results(), fed);
}

//! Many swaps under load: each record is processed once, and no partition goes back to an older version.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_cli::args;
use millrace_cli::data::open_to_run;
use millrace_cli::load::load;
use millrace_embedded::deploy::{Answer, Request, ask};
use millrace_embedded::log::NewRecord;
use millrace_embedded::run::{self, RunOptions, inbox_of};
use millrace_embedded::{InboxRecord, leave_records};
use millrace_engine::deployment::{Act, Author, Candidate};
use millrace_engine::secret::Secret;

use crate::{place, read};

/// Swaps of a test run; `MILLRACE_SWAPS` has another number.
const SWAPS: u64 = 100;

/// Records that come with each swap.
const RECORDS: u64 = 40;

fn swaps() -> u64 {
    std::env::var("MILLRACE_SWAPS").map_or(SWAPS, |text| text.parse().unwrap())
}

/// The version that calls itself by this number.
fn version(folder: &Path, number: u64) -> Candidate {
    let set = vec![("plugins.swap.config.tag".to_owned(), Secret::from(format!("v{number:05}")))];
    let pipeline =
        args::Pipeline { files: vec![folder.join("swap.toml")], set, set_file: Vec::new(), more: Vec::new() };
    load(&pipeline).unwrap().plugins.candidates().remove(0)
}

/// Leaves records with these numbers in the app's inbox.
fn leave(folder: &Path, numbers: std::ops::Range<u64>) {
    let name = format!("{:020}", numbers.start);
    let record = |n: u64| {
        let value = format!(r#"{{"n":{n},"amount":{n}}}"#);
        let record = NewRecord::new(1_000 + n as i64, format!("k{n}"), value);
        InboxRecord { topic: "in".into(), partition: (n % 3) as u32, record }
    };
    leave_records(&inbox_of(&folder.join("data")), &name, &numbers.map(record).collect::<Vec<_>>()).unwrap();
}

fn done(folder: &Path, app: &JoinHandle<()>, act: Act) -> BTreeMap<String, u32> {
    let request = Request { act, author: Author { at: run::wall_clock(), ..Author::default() } };
    match ask(&folder.join("data"), &request, &[], &|| !app.is_finished()).unwrap().expect("the app runs") {
        Answer::Done(generations) => generations,
        Answer::Refused(reason) => panic!("{reason}"),
    }
}

#[test]
fn records_are_processed_once_over_many_swaps_and_no_partition_goes_back() {
    let place = place();
    let folder = place.path("");
    let (opened, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let processed = Arc::new(AtomicU64::new(0));
    let app = {
        let (folder, opened, stop) = (folder.clone(), Arc::clone(&opened), Arc::clone(&stop));
        let processed = Arc::clone(&processed);
        std::thread::spawn(move || {
            let pipeline = args::Pipeline {
                files: vec![folder.join("swap.toml")],
                set: Vec::new(),
                set_file: Vec::new(),
                more: Vec::new(),
            };
            let (loaded, data) = (load(&pipeline).unwrap(), folder.join("data"));
            let (mut worker, deployer) = open_to_run(&loaded, &data).unwrap();
            opened.store(true, Ordering::Relaxed);
            let (mut guests, deployer) = (loaded.guests(), Some(deployer));
            let commit_interval = Duration::from_millis(20);
            let options = RunOptions { commit_interval, until_idle: false, inbox: inbox_of(&data), deployer };
            run::run(&mut worker, &mut guests, options, &stop, |progress| {
                processed.store(progress.total.consumed, Ordering::Relaxed);
            })
            .unwrap();
        })
    };
    let until = |what, so: &dyn Fn() -> bool| {
        crate::support::until(what, || {
            assert!(!app.is_finished(), "the app has ended");
            so()
        });
    };
    // An app refuses a folder that has files of others, such as requests.
    until("the app has made its folder", &|| opened.load(Ordering::Relaxed));
    for number in 1..=swaps() {
        leave(&folder, (number - 1) * RECORDS..number * RECORDS);
        let staged = done(&folder, &app, Act::Stage { candidates: vec![version(&folder, number)], trial: None });
        done(&folder, &app, Act::Activate(staged));
    }
    let records = swaps() * RECORDS;
    until("all records are processed", &|| processed.load(Ordering::Relaxed) == records);
    stop.store(true, Ordering::Relaxed);
    app.join().unwrap();

    let tagged = read(&place, "tagged");
    let mut numbers: Vec<_> = tagged.iter().map(|it| it["value"]["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..records).collect::<Vec<_>>());
    let mut latest: BTreeMap<u64, String> = BTreeMap::new();
    for it in &tagged {
        // The version at the start calls itself `one`.
        let by = it["value"]["by"].as_str().unwrap().replace("one", "");
        let before = latest.insert(it["partition"].as_u64().unwrap(), by.clone()).unwrap_or_default();
        assert!(before <= by, "{before} before {by}");
    }
    let mut seen: Vec<_> = tagged.iter().map(|it| it["value"]["by"].as_str().unwrap()).collect();
    seen.sort_unstable();
    seen.dedup();
    eprintln!("{} swaps, {records} records, {} versions in the results", swaps(), seen.len());
    assert!(seen.len() as u64 > swaps() / 4, "hardly a swap came between records: the test shows little");
}

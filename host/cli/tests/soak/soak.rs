//! The run: faults first, then the oracles.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_broker::Cluster;

use crate::accounts::Accounts;
use crate::cluster;
use crate::faults::{Points, Victims};
use crate::feed::{Feed, send_all};
use crate::findings::{Findings, attempt};
use crate::fleet::{Fleet, Ids};
use crate::harness::records::Kafka;
use crate::input::{Input, closers, names};
use crate::inputs::Inputs;
use crate::options::{Kind, Options};
use crate::place::Place;
use crate::plan::{AT_START, Fault, Planned, plan};
use crate::quiet::Shown;
use crate::replayed::Replayed;
use crate::sampler::{Seen, Watched, sample};
use crate::summary::Summary;
use crate::timeline::Timeline;
use crate::{output, rest, state, sums};

/// Time limit for a process to join or leave the group while there is no other fault.
const GROUP: Duration = Duration::from_secs(120);

/// A fault that would be later than this is skipped: otherwise all later faults would be delayed, into the calm time.
const LATEST: Duration = Duration::from_secs(30);

/// Runs the soak; returns whether there was no finding.
pub fn run(options: &Options) -> bool {
    let seed = options.seed();
    let schedule = plan(options, seed);
    let text: String = schedule.iter().map(|planned| format!("{planned}\n")).collect();
    println!(
        "soak: seed {seed}, {} minutes, {} faults, {} records a second",
        options.minutes,
        schedule.len(),
        options.rate
    );
    if options.plan {
        print!("{text}");
        return true;
    }
    let place = Place::new(options.out.as_deref(), seed);
    println!("soak: all that is kept lies in {}", place.folder().display());
    std::fs::write(place.path("schedule.txt"), text).unwrap();
    let cluster = cluster::start(options.time());
    let kafka = cluster::client(&cluster);
    cluster::create_topics(&kafka, options);
    let run = Run { options, seed, place: &place, kafka: &kafka, findings: Findings::default(), ids: Ids::default() };
    run.go(cluster, &schedule)
}

struct Run<'r> {
    options: &'r Options,
    seed: u64,
    place: &'r Place,
    kafka: &'r Kafka,
    findings: Findings,
    ids: Ids,
}

impl Run<'_> {
    fn go(&self, mut cluster: Cluster, schedule: &[Planned]) -> bool {
        let bootstrap = cluster.bootstrap();
        let mut fleet = Fleet::new(self.place, bootstrap.clone(), &self.ids);
        let base = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        send_all(&bootstrap, self.options, &names(), base);
        (0..AT_START).for_each(|slot| fleet.start(slot));
        let timeline = Timeline::start(&self.place.path("timeline.txt"));
        let feed = Feed::start(&bootstrap, self.options, Input::new(self.options, self.seed), base);

        let stop = AtomicBool::new(false);
        let watched = Watched {
            bootstrap: &bootstrap,
            folder: self.place.folder(),
            feed: &feed,
            ids: &self.ids,
            timeline: &timeline,
            findings: &self.findings,
        };
        let (seen, points) = std::thread::scope(|scope| {
            let sampler = scope.spawn(|| sample(watched, &stop));
            let kafka = self.kafka;
            let findings = &self.findings;
            let mut victims = Victims {
                cluster: &mut cluster,
                kafka,
                fleet: &mut fleet,
                feed: &feed,
                findings,
                timeline: &timeline,
                points: Points::default(),
            };
            self.do_harm(&mut victims, schedule, &timeline);
            stop.store(true, Ordering::Relaxed);
            let seen = sampler.join().unwrap_or_else(|_| {
                self.findings.add("6 progress", "the app could not be looked at until the end");
                Seen::default()
            });
            (seen, victims.points)
        });
        let sent = feed.finish().unwrap_or_else(|text| {
            self.findings.add("input", text);
            0
        });
        if let Err(text) = attempt(|| self.come_to_rest(&mut fleet, &bootstrap, base, timeline.now())) {
            self.findings.add("5 rest", text);
        }
        let (faults, planned) = (timeline.faults(), schedule.len());
        self.judge(&Outcome { base, sent, faults, planned, points, seen: &seen, fleet: &fleet }, &cluster)
    }

    fn do_harm(&self, victims: &mut Victims<'_, '_>, schedule: &[Planned], timeline: &Timeline) {
        let wait_until = |victims: &mut Victims<'_, '_>, time: Duration| {
            while timeline.now() < time {
                victims.fleet.keep_alive(&self.findings);
                std::thread::park_timeout(Duration::from_millis(100));
            }
        };
        for planned in schedule {
            wait_until(victims, planned.at);
            let what = planned.fault.to_string();
            // What comes after counts on the number of processes.
            if timeline.now() > planned.at + LATEST && !matches!(planned.fault, Fault::Scale { .. }) {
                timeline.note(&format!("left out, as the one before took too long: {what}"));
                continue;
            }
            // Those that the last fault has let go must be seen before they are taken for killed by this one.
            victims.fleet.keep_alive(&self.findings);
            if let Err(text) = timeline.during(&what, || attempt(|| victims.suffer(&planned.fault))) {
                self.findings.add("faults", format!("{what}: {text}"));
            }
        }
        wait_until(victims, self.options.time());
        if let Err(text) = attempt(|| victims.wait_for_members(GROUP)) {
            self.findings.add("processes", text);
        }
    }

    /// One process is left, gets all tasks, and processes the rest. Then stream time jumps, so that all windows close.
    fn come_to_rest(&self, fleet: &mut Fleet<'_>, bootstrap: &str, base: i64, time: Duration) {
        println!("soak: the faults are over; working off what is left");
        for slot in (1..fleet.size()).rev() {
            fleet.stop(slot, &self.findings);
        }
        self.findings.look("5 rest", || rest::wait_until_caught_up(self.kafka));
        fleet.keep_alive(&self.findings);
        // It may not have taken over the tasks of the stopped processes yet. Alone from its start, it has all tasks
        // once it runs.
        fleet.stop(0, &self.findings);
        fleet.start(0);
        if let Err(text) = attempt(|| fleet.wait_until_running(0)) {
            self.findings.add("5 rest", text);
        }
        fleet.stop(0, &self.findings);
        println!("oracle 4: state and changelogs");
        let data = self.place.path(&Fleet::data(0));
        self.findings.look("4 state", || state::check(self.kafka, &data));
        fleet.start(0);
        send_all(bootstrap, self.options, &closers(time.as_millis() as i64), base);
        self.findings.look("5 rest", || rest::wait_until_caught_up(self.kafka));
        fleet.keep_alive(&self.findings);
        fleet.stop(0, &self.findings);
        // The one before had only restored its state, and this one has worked.
        println!("oracle 4: state and changelogs, once more");
        self.findings.look("4 state", || state::check(self.kafka, &data));
        println!("oracle 5: nothing is left, no transaction is open");
        self.findings.look("5 transactions", || rest::open_transactions(self.kafka));
    }

    fn judge(&self, outcome: &Outcome<'_>, cluster: &Cluster) -> bool {
        let (kafka, mut accounts) = (self.kafka, Accounts::default());
        match attempt(|| Inputs::read(kafka, outcome.base)) {
            Err(text) => self.findings.add("input", text),
            Ok(inputs) => {
                println!("oracle 3: {} records of input are accounted for", inputs.count());
                self.findings.look("input", || inputs.gaps());
                self.findings.look("3 accounts", || accounts.check(kafka, &inputs));
                println!("oracle 2: sums");
                self.findings.look("2 sums", || sums::compare(kafka, &inputs));
                println!("oracle 1: a replay puts out the same");
                let mut shown = Shown {
                    time: self.options.time(),
                    poison: self.options.has(Kind::Poison),
                    sent: accounts.codes(),
                    letters: BTreeSet::new(),
                    outputs: Vec::new(),
                };
                self.findings
                    .look("1 replay", || output::compare(kafka, &Replayed::make(self.place, &inputs), &mut shown));
            }
        }
        println!("oracle 6: memory and progress");
        let (memory, found) = outcome.seen.memory.judge(self.options.time());
        self.findings.look("6 memory", || found);
        let findings = self.findings.all();
        self.keep(findings.is_empty(), cluster);
        let summary = Summary {
            seed: self.seed,
            time: self.options.time(),
            folder: self.place.folder(),
            faults: outcome.faults,
            planned: outcome.planned,
            points: outcome.points,
            sent: outcome.sent,
            accounts: &accounts,
            memory,
            seen: outcome.seen,
            last_words: &outcome.fleet.last_words,
            findings: &findings,
        };
        let text = summary.text();
        print!("\n{text}");
        std::fs::write(self.place.path("summary.txt"), &text).unwrap();
        findings.is_empty()
    }

    /// After a failure all files stay, with the brokers' logs; otherwise large ones are deleted.
    fn keep(&self, well: bool, cluster: &Cluster) {
        for node in 0..cluster.nodes() {
            let log = cluster.folder().join(format!("node-{node}")).join("log");
            drop(std::fs::copy(log, self.place.path(&format!("broker-{node}.log"))));
        }
        for entry in std::fs::read_dir(self.place.folder()).unwrap().flatten().filter(|_| well) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("data-") {
                drop(std::fs::remove_dir_all(entry.path()));
            } else if name.starts_with("expected-") || name == "input.jsonl" {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }
}

/// The files of the run.
struct Outcome<'o> {
    base: i64,
    sent: usize,
    faults: usize,
    planned: usize,
    points: Points,
    seen: &'o Seen,
    fleet: &'o Fleet<'o>,
}

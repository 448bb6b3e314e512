//! The most memory of a task, measured by a counting allocator: jumps of time and rules with large outputs take bounded
//! memory, with any number of keys.

#![allow(clippy::unwrap_used)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use millrace_engine::ledger::CounterKind;
use millrace_engine::ports::DeploymentId;
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::task::{Deployed, Task, TaskOptions};
use millrace_engine::topology::Topology;
use support::{Disk, Rules, topology};

/// Counts allocated memory, and the most at one time.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "the trait is unsafe; every call goes to the system's allocator as it is")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1 << 20;

/// Keys of a case. Without passes, each took about a kilobyte.
const KEYS: usize = 60_000;

/// Keys of a case with large records, and bytes of each.
const LARGE: usize = 80;
const LARGE_BYTES: usize = 512 << 10;

/// Most outputs of one record.
const OUTPUTS: u64 = 100_000;

/// Most memory of a task, beside its entries on disk.
const BOUND: usize = 32 * MIB;

/// A task that is committed when its transaction has a megabyte. Drivers commit at a few megabytes.
struct Case {
    topology: Arc<Topology>,
    disk: Disk,
    task: Task,
    offset: i64,
    commits: usize,
    dropped: BTreeMap<String, u64>,
}

impl Case {
    fn new(steps: &str) -> Self {
        let (topology, disk) = (topology(steps), Disk::default());
        let deployed = [Deployed::new(DeploymentId(0), 1, "d")];
        let partitions = topology.topics.iter().map(|_| 1).collect();
        let options = TaskOptions::new(0, 0, partitions, deployed.into());
        let options = TaskOptions { batch: 500, timers: 1_000, record_outputs: OUTPUTS, ..options };
        let task = Task::open(topology.clone(), options, disk.partition(0)).unwrap();
        Self { topology, disk, task, offset: 0, commits: 0, dropped: BTreeMap::new() }
    }

    fn offer(&mut self, key: &str, value: &str, timestamp: i64) {
        self.offer_to(0, key, Some(value), timestamp);
    }

    fn offer_to(&mut self, input: usize, key: &str, value: Option<&str>, timestamp: i64) {
        let (key, value) = (Some(Bytes::from(key.to_owned())), value.map(|value| Bytes::from(value.to_owned())));
        let (timestamp_type, headers, offset) = (TimestampType::CreateTime, Headers::EMPTY, self.offset);
        let record = InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived: 0, turn: 0 };
        self.task.offer(input, record);
        self.offset += 1;
    }

    /// Runs until the task has no work, and returns the number of outputs.
    fn run(&mut self) -> usize {
        let (mut rules, mut outputs) = (Rules::new(&self.topology), 0);
        while self.task.ready() {
            outputs += self.task.run(&mut rules, 500).unwrap().len();
            if self.task.transaction_bytes() > MIB {
                self.commit();
            }
        }
        self.commit();
        outputs
    }

    /// Advances the driver's clock.
    fn tick(&mut self, now: i64) -> usize {
        let (mut rules, mut outputs) = (Rules::new(&self.topology), 0);
        while self.task.next_tick().is_some_and(|next| next <= now) {
            outputs += self.task.tick(&mut rules, now, 0).unwrap().len();
            if self.task.transaction_bytes() > MIB {
                self.commit();
            }
        }
        self.commit();
        outputs
    }

    fn commit(&mut self) {
        let prepared = self.task.prepare();
        self.disk.commit(0, &prepared.changes);
        self.commits += 1;
        for (_, what, code, n) in prepared.ledger.counts() {
            if what == CounterKind::Dropped || what == CounterKind::DeadLettered {
                *self.dropped.entry(code.to_owned()).or_default() += n;
            }
        }
    }

    /// One record for each key, in batches.
    fn fill(&mut self, value: &str, timestamp: i64) {
        for key in 0..KEYS {
            self.offer(&format!("key-{key}"), value, timestamp);
            if key % 5_000 == 0 {
                self.run();
            }
        }
        self.run();
    }

    /// A large record for each of [`LARGE`] keys.
    fn fill_large(&mut self, input: usize) {
        let value = "x".repeat(LARGE_BYTES);
        for number in 0..LARGE {
            self.offer_to(input, &format!("key-{number}"), Some(&value), 1);
            self.run();
        }
    }

    /// The result of some work, and the most additional memory during it.
    fn measure<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, usize, usize) {
        let (before, commits) = (NOW.load(Ordering::Relaxed), self.commits);
        MOST.store(before, Ordering::Relaxed);
        let result = work(self);
        let most = MOST.load(Ordering::Relaxed).saturating_sub(before);
        (result, most, self.commits - commits)
    }
}

fn step(table: &str, name: &str, from: &str, rest: &str) -> String {
    format!("[[{table}]]\nname = \"{name}\"\nfrom = \"{from}\"\n{rest}\n")
}

fn pipeline(steps: &str, last: &str) -> String {
    let sources =
        ["in", "other"].map(|name| format!("[[source]]\nname = \"{name}\"\ntopic = \"{name}\"\nvalue = \"bytes\"\n"));
    let used = if steps.contains("other") { &sources[..] } else { &sources[..1] };
    format!("{}{steps}[[sink]]\nfrom = \"{last}\"\ntopic = \"out\"\n", used.concat())
}

#[track_caller]
fn assert_bounded(what: &str, most: usize) {
    println!("{what}: {:.1} MiB", most as f64 / MIB as f64);
    assert!(most < BOUND, "{what} took {} MiB", most / MIB);
}

/// One test, because the allocator counts for the whole process.
#[test]
fn memory_is_bounded_for_jumps_of_time_and_large_outputs() {
    windows_that_close_at_once();
    unmatched_records_that_expire_at_once();
    stream_time_timers_that_are_due_at_once();
    timers_of_the_drivers_clock();
    rules_with_large_outputs();
    rules_with_many_outputs();
    windows_that_overlap_much();
    old_rows_of_a_table();
    states_of_many_keys();
    states_that_grow();
    rows_that_are_looked_up();
    pairs_of_streams();
}

fn windows_that_close_at_once() {
    let settings = "call = \"t.append\"\nwindow = { tumbling = \"1m\" }\nemit = \"final\"";
    let mut case = Case::new(&pipeline(&step("aggregate", "sums", "in", settings), "sums"));
    case.fill("x", 1);
    case.offer("key-0", "y", 600_000);
    let (outputs, most, commits) = case.measure(Case::run);
    assert_eq!(outputs, KEYS);
    assert!(commits > 2, "{commits} commits");
    assert_bounded("windows that close", most);
}

fn unmatched_records_that_expire_at_once() {
    let join = "[[join]]\nname = \"pairs\"\nleft = \"in\"\nright = \"other\"\nkind = \"left\"\nwithin = \"1s\"\ncall = \"t.cat\"\n";
    let mut case = Case::new(&pipeline(join, "pairs"));
    case.fill("x", 1);
    case.offer("key-0", "y", 600_000);
    let (outputs, most, commits) = case.measure(Case::run);
    assert_eq!(outputs, KEYS);
    assert!(commits > 2, "{commits} commits");
    assert_bounded("records without a match", most);
}

fn stream_time_timers_that_are_due_at_once() {
    let mut case = Case::new(&pipeline(&step("process", "alarms", "in", "call = \"t.alarm\""), "alarms"));
    case.fill("at.a.5", 1);
    case.offer("key-0", "x", 600_000);
    let (outputs, most, commits) = case.measure(Case::run);
    assert_eq!(outputs, KEYS + 1);
    assert!(commits > 2, "{commits} commits");
    assert_bounded("timers of the stream's clock", most);
}

fn timers_of_the_drivers_clock() {
    let mut case = Case::new(&pipeline(&step("process", "alarms", "in", "call = \"t.alarm\""), "alarms"));
    case.fill("wat.a.5", 1);
    let (outputs, most, commits) = case.measure(|case| case.tick(3_600_000));
    assert_eq!(outputs, KEYS);
    assert!(commits > 2, "{commits} commits");
    assert_bounded("timers of the driver's clock", most);
}

fn rules_with_large_outputs() {
    let mut case = Case::new(&pipeline(&step("transform", "large", "in", "call = \"t.many\""), "large"));
    (0..500).for_each(|_| case.offer("k", "1x1000000", 1));
    let (outputs, most, _) = case.measure(Case::run);
    assert_eq!(outputs, 500);
    assert_bounded("large outputs", most);
}

fn rules_with_many_outputs() {
    let steps =
        step("transform", "many", "in", "call = \"t.many\"") + &step("transform", "more", "many", "call = \"t.many\"");
    let mut case = Case::new(&pipeline(&steps, "more"));
    case.offer("k", "900x8", 1);
    let (outputs, most, _) = case.measure(Case::run);
    // 111 of 900 items of the second step fit, and the record is dead-lettered.
    assert_eq!((outputs, case.dropped.get("too-many-outputs").copied()), (111 * 900 + 1, Some(1 + 788 * 900)));
    assert_bounded("many outputs", most);
}

fn windows_that_overlap_much() {
    let settings = "call = \"t.append\"\nwindow = { hopping = \"2000s\", every = \"1s\" }";
    let mut case = Case::new(&pipeline(&step("aggregate", "sums", "in", settings), "sums"));
    (0..100).for_each(|number| case.offer("k", "x", 5_000_000 + number));
    let (outputs, most, _) = case.measure(Case::run);
    assert_eq!(outputs, 100 * 2_000);
    assert_bounded("windows that overlap", most);
}

fn old_rows_of_a_table() {
    let steps = step("table", "rows", "in", "") + &step("aggregate", "sums", "rows", "call = \"t.append\"");
    let mut case = Case::new(&pipeline(&steps, "sums"));
    case.fill_large(0);
    (0..LARGE).for_each(|number| case.offer_to(0, &format!("key-{number}"), None, 2));
    let (outputs, most, _) = case.measure(Case::run);
    assert_eq!(outputs, LARGE);
    assert_bounded("old rows of a table", most);
}

/// Also without outputs: writes take memory too.
fn states_of_many_keys() {
    for (settings, results) in [("", LARGE), ("window = { tumbling = \"1h\" }\nemit = \"final\"", 0)] {
        let settings = format!("call = \"t.append\"\n{settings}");
        let mut case = Case::new(&pipeline(&step("aggregate", "sums", "in", &settings), "sums"));
        case.fill_large(0);
        (0..LARGE).for_each(|number| case.offer(&format!("key-{number}"), "y", 2));
        let before = case.disk.read_bytes();
        let (outputs, most, _) = case.measure(Case::run);
        assert_eq!(outputs, results);
        let read = case.disk.read_bytes() - before;
        assert!(read < 2 * LARGE * (LARGE_BYTES + 100), "states are read again and again: {} MiB", read / MIB);
        assert_bounded("states of many keys", most);
    }
}

/// Each record enlarges the state by its value, and the step emits the state.
fn states_that_grow() {
    for settings in ["", "window = { tumbling = \"1h\" }", "window = { sliding = \"1s\" }"] {
        let settings = format!("call = \"t.append\"\n{settings}");
        let mut case = Case::new(&pipeline(&step("aggregate", "sums", "in", &settings), "sums"));
        let value = "x".repeat(8_000);
        (0..150).for_each(|_| case.offer("k", &value, 10_000));
        let (outputs, most, _) = case.measure(Case::run);
        assert_eq!(outputs, 150);
        assert_bounded("states that grow", most);
    }
}

/// The results are small.
fn rows_that_are_looked_up() {
    let rows = step("table", "rows", "other", "");
    let lookup = "[[lookup]]\nname = \"found\"\nstream = \"in\"\ntable = \"rows\"\ncall = \"t.lengths\"\n";
    let join = "[[table-join]]\nname = \"found\"\nleft = \"own\"\nright = \"rows\"\ncall = \"t.lengths\"\n";
    for steps in [rows.clone() + lookup, rows + &step("table", "own", "in", "") + join] {
        let mut case = Case::new(&pipeline(&steps, "found"));
        case.fill_large(1);
        // These find no row, so the step raises its call size.
        (0..1_000).for_each(|_| case.offer("other", "y", 2));
        case.run();
        (0..LARGE).for_each(|number| case.offer(&format!("key-{number}"), "y", 2));
        let (outputs, most, _) = case.measure(Case::run);
        assert_eq!(outputs, LARGE);
        assert_bounded("rows that are looked up", most);
    }
}

/// Each record makes one pair, for which the rule returns a large output.
fn pairs_of_streams() {
    let join = "[[join]]\nname = \"pairs\"\nleft = \"other\"\nright = \"in\"\nwithin = \"1h\"\ncall = \"t.cat\"\n";
    let mut case = Case::new(&pipeline(join, "pairs"));
    case.fill_large(1);
    (0..LARGE).for_each(|number| case.offer(&format!("key-{number}"), "y", 2));
    let (outputs, most, _) = case.measure(Case::run);
    assert_eq!(outputs, LARGE);
    assert_bounded("pairs of streams", most);
}

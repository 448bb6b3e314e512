//! A version that is rolled back before it is finalised leaves no trace: output and state are those of an app that
//! never swapped.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millrace_cli::args;
use millrace_cli::data::open_tasks;
use millrace_cli::load::{Loaded, load};
use millrace_cli::plugins::Guests;
use millrace_embedded::log::Log;
use millrace_embedded::replay::{Replay, ReplayRecord};
use millrace_embedded::{Worker, WorkerOptions, deploy};
use millrace_engine::deployment::{Act, Author, PluginLoader};
use millrace_engine::ports::{Backend, Scan};
use millrace_engine::record::Headers;
use millrace_engine::secret::Secret;
use millrace_engine::topology::TopicId;
use millrace_store::{Database, Durability, OpenOptions};
use proptest::prelude::*;

use crate::place;

/// A key, an amount, and whether the next version is deployed or rolled back before the record.
type Step = (u8, i64, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..6_u8, 0..4_i64, prop::bool::weighted(0.15)), 1..60)
}

/// Both versions with the same name, so that their results can be the same.
fn loaded(folder: &Path, component: &str) -> Loaded {
    let component = folder.join(component).display().to_string();
    let set = [("plugins.swap.component", component.as_str()), ("plugins.swap.config.tag", "same")];
    let set = set.map(|(key, value)| (key.to_owned(), Secret::from(value))).to_vec();
    load(&args::Pipeline { files: vec![folder.join("swap.toml")], set, set_file: Vec::new(), more: Vec::new() })
        .unwrap()
}

/// An app whose tasks are opened anew for each stretch of its input.
struct App<'l> {
    loaded: &'l Loaded,
    next: &'l Loaded,
    database: Arc<Database>,
    output: Vec<String>,
}

impl App<'_> {
    fn log(&self) -> Arc<Log> {
        Arc::new(Log::open(Arc::clone(&self.database)).unwrap())
    }

    fn open(&self) -> (Worker, Guests) {
        let options = WorkerOptions { durability: Durability::Buffered, ..WorkerOptions::default() };
        open_tasks(self.loaded, Arc::clone(&self.database), self.log(), options).unwrap()
    }

    fn replay(&mut self, records: &[(usize, Step)]) {
        let topology = Arc::clone(&self.loaded.topology);
        let topic = TopicId(topology.topics.iter().position(|topic| topic.name == "in").unwrap());
        let (mut worker, mut guests) = self.open();
        let output = &mut self.output;
        let mut replay = Replay::new(&mut worker, &mut guests, 7, Duration::from_millis(5), |produced| {
            let name = &topology.topics[produced.topic.0].name;
            output.push(format!("{name} {:?} {:?} {}", produced.key, produced.value, produced.timestamp));
            Ok(())
        });
        for (number, (key, amount, _)) in records {
            let value = format!(r#"{{"n":{number},"amount":{amount}}}"#);
            let (key, value) = (Some(format!("k{key}").into()), Some(value.into()));
            let timestamp = Some(*number as i64);
            replay
                .push(ReplayRecord { topic, partition: None, key, value, timestamp, headers: Headers::EMPTY })
                .unwrap();
        }
        replay.finish().unwrap();
    }

    /// Deploys the next version, or rolls it back.
    fn swap(&self) {
        let (log, author) = (self.log(), Author::default());
        let before = deploy::deployments(&log, "swapping").unwrap();
        let candidate = self.next.plugins.candidates().remove(0);
        let change = |act: &Act, components: &BTreeMap<String, Arc<[u8]>>| {
            deploy::change(&log, "swapping", act, &author, components).unwrap()
        };
        if before.active("swap").unwrap().is_version(&candidate) {
            let replaces = before.active("swap").unwrap().generation;
            change(&Act::Rollback { plugin: "swap".into(), replaces, to: None }, &BTreeMap::new());
        } else {
            let component = self.next.plugins.component(&candidate.component).unwrap();
            let components = BTreeMap::from([(candidate.component.clone(), component)]);
            let staged = change(&Act::Stage { candidates: vec![candidate], trial: None }, &components);
            change(&Act::Activate(staged), &BTreeMap::new());
        }
    }

    /// All entries of all stores but those that say which deployment wrote them.
    fn state(&self) -> Vec<String> {
        let mut entries = Vec::new();
        for (number, name) in self.database.stores().enumerate() {
            let store = millrace_engine::ports::StoreId(number);
            for partition in self.database.partitions(store).unwrap() {
                let scanned = self.database.backend(partition).scan(store, &[], None, &mut |key, value| {
                    if !key.starts_with(b"deployment/") {
                        entries.push(format!("{name} {partition} {key:?} {value:?}"));
                    }
                    Scan::Continue
                });
                scanned.unwrap();
            }
        }
        entries
    }
}

/// Output and state after these steps.
fn run(folder: &Path, versions: (&Loaded, &Loaded), steps: &[Step], swaps: bool) -> (Vec<String>, Vec<String>) {
    let data = tempfile::tempdir_in(folder).unwrap();
    let options =
        OpenOptions { families: &Log::FAMILIES, memory: 1 << 20, ..OpenOptions::new(&versions.0.topology.stores) };
    let database = Arc::new(Database::open(data.path(), &options).unwrap());
    let mut app = App { loaded: versions.0, next: versions.1, database, output: Vec::new() };
    let numbered: Vec<_> = steps.iter().copied().enumerate().collect();
    app.replay(&[]);
    for stretch in numbered.chunk_by(|_, (_, (.., swaps_before))| !swaps_before) {
        if swaps && stretch.first().is_some_and(|(_, (.., swaps_before))| *swaps_before) {
            app.swap();
        }
        app.replay(stretch);
    }
    if swaps && deploy::deployments(&app.log(), "swapping").unwrap().generation().is_multiple_of(2) {
        app.swap();
        app.replay(&[]);
    }
    (app.output.clone(), app.state())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn swaps_that_are_rolled_back_before_they_are_finalised_change_neither_output_nor_state(steps in steps()) {
        let place = place();
        let folder = place.path("");
        let (one, two) = (loaded(&folder, "swap.wasm"), loaded(&folder, "swap_next.wasm"));
        let never = run(&folder, (&one, &two), &steps, false);
        prop_assert_eq!(run(&folder, (&one, &two), &steps, true), never);
    }
}

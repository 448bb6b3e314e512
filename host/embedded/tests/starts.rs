//! What a start leaves in the data folder, and what a later one with another pipeline finds there.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use millrace_embedded::deploy::{self, Plan, Start};
use millrace_embedded::log::{Log, NewRecord};
use millrace_embedded::{Error, Worker, WorkerOptions};
use millrace_engine::deployment::{ActivePlugins, Author, Candidate, PluginLoader, StoreVersions, Wanted};
use millrace_engine::logic::Logic;
use millrace_engine::manifest::Manifest;
use millrace_engine::ports::{
    Attempt, CallError, Called, DeploymentId, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair, Stored,
};
use millrace_engine::state::ProcessScope;
use millrace_engine::task::{Deployed, TaskError};
use millrace_engine::testing::manifest;
use millrace_engine::topology::{TopicId, Topology};
use millrace_pipeline::{self as pipeline, SourceFile};
use millrace_store::{Batch, Database, Durability, OpenOptions};

const TABLE: &str = "[[source]]\nname = 'first'\ntopic = 'first-in'\n[[table]]\nname = 'old'\nfrom = 'first'\n";
const RULE: &str = "[plugins.p]\ncomponent = 'p.wasm'\n[[source]]\nname = 'items'\ntopic = 'in'\n\
    [[aggregate]]\nname = 'sums'\nfrom = 'items'\ncall = 'p.sum'\n[[sink]]\nfrom = 'sums'\ntopic = 'out'\n\
    [[source]]\nname = 'rest'\ntopic = 'rest-in'\n[[table]]\nname = 'rows'\nfrom = 'rest'\n";

/// It can't start where `in` and `other` have different numbers of partitions.
const JOIN: &str = "[plugins.p]\ncomponent = 'p.wasm'\n[[source]]\nname = 'items'\ntopic = 'in'\n\
    [[source]]\nname = 'others'\ntopic = 'other'\n[[join]]\nname = 'pairs'\nleft = 'items'\nright = 'others'\n\
    within = '1s'\ncall = 'p.pair'\n[[sink]]\nfrom = 'pairs'\ntopic = 'out'\n";

fn topology(app: &str, steps: &str) -> Arc<Topology> {
    let file = SourceFile { path: "a.toml".into(), text: format!("app = '{app}'\n{steps}") };
    let manifests = BTreeMap::from([("p".to_owned(), rules(1))]);
    Arc::new(pipeline::build(&pipeline::parse(&[file], &Default::default()).unwrap(), &manifests).unwrap())
}

/// A plugin whose state has this version.
fn rules(version: u32) -> Manifest {
    let mut rules = manifest("p: aggregate sum; join pair");
    for store in rules.functions.iter_mut().flat_map(|function| &mut function.stores) {
        (store.reads, store.writes) = (vec![version], vec![version]);
    }
    rules
}

fn candidate(component: &str, version: u32) -> Candidate {
    let (component, config, settings) = (component.to_owned(), String::new(), "{}".to_owned());
    let versions = StoreVersions { reads: vec![version], writes: vec![version], now: version };
    let stores = BTreeMap::from([("sum/state".to_owned(), versions)]);
    Candidate {
        name: "p".into(),
        component,
        size: 0,
        config,
        settings,
        called: stores.keys().cloned().collect(),
        stores,
    }
}

/// Has all versions of the plugin, which are the same to it.
struct Loader(Arc<Topology>);

impl PluginLoader for Loader {
    fn component(&self, digest: &str) -> Option<Arc<[u8]>> {
        Some(digest.as_bytes().into())
    }

    fn add(&self, _: Arc<[u8]>) {}

    fn load(&self, wanted: &[Wanted<'_>]) -> Result<ActivePlugins, String> {
        let deployments = wanted.iter().map(|wanted| wanted.deployment.deployed(DeploymentId(0))).collect();
        Ok(ActivePlugins::new(Arc::clone(&self.0), deployments))
    }

    fn retire(&self, _: &ActivePlugins) {}
}

fn plan(log: &Log, topology: &Arc<Topology>, candidate: Candidate) -> Result<Plan, Error> {
    let (loader, author) = (Loader(Arc::clone(topology)), Author::default());
    deploy::plan(log, Start { topology, candidates: &[candidate], loader: &loader, author: &author })
}

fn log(folder: &Path, topology: &Topology) -> Arc<Log> {
    let options = OpenOptions { families: &Log::FAMILIES, memory: 8 << 20, ..OpenOptions::new(&topology.stores) };
    Arc::new(Log::open(Arc::new(Database::open(folder, &options).unwrap())).unwrap())
}

/// Starts an app as the command does.
fn start(folder: &Path, topology: &Arc<Topology>, candidate: Candidate) -> Result<Worker, Error> {
    let log = log(folder, topology);
    let plan = plan(&log, topology, candidate)?;
    let database = Arc::clone(log.database());
    let worker = Worker::open(plan.plugins(), database, Arc::clone(&log), WorkerOptions::default())?;
    plan.remember(&log)?;
    Ok(worker)
}

/// The rule of these tests: it keeps a state, and puts nothing out.
struct Keeps;

impl Logic for Keeps {
    fn transform(&mut self, _: FunctionId, _: &[Message<'_>], _: Attempt) -> Result<Called<Vec<Outcome>>, CallError> {
        unreachable!()
    }

    fn join(&mut self, _: FunctionId, _: &[Pair<'_>], _: Attempt) -> Result<Called<Vec<Outcome>>, CallError> {
        unreachable!()
    }

    fn aggregate(
        &mut self,
        _: FunctionId,
        groups: &[Group<'_>],
        _: Mode,
        _: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        let grouped = |group: &Group<'_>| Grouped {
            state: Some(Stored { version: 1, bytes: "state".into() }),
            value: None,
            outcomes: group.entries.iter().map(|_| Outcome::Outputs(Vec::new())).collect(),
            deleted_after: Vec::new(),
        };
        Ok(Called { result: groups.iter().map(grouped).collect(), effects: Vec::new() })
    }

    fn process(
        &mut self,
        _: FunctionId,
        _: Message<'_>,
        _: ProcessScope,
        _: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        unreachable!()
    }

    fn on_timer(
        &mut self,
        _: FunctionId,
        _: Due<'_>,
        _: ProcessScope,
        _: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        unreachable!()
    }

    fn rewrite(
        &mut self,
        _: FunctionId,
        _: usize,
        _: &[Stored],
        _: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        unreachable!()
    }
}

/// The generation that a start with this component would have.
fn generation(folder: &Path, topology: &Arc<Topology>, component: &str) -> u32 {
    let plan = plan(&log(folder, topology), topology, candidate(component, 1)).unwrap();
    plan.plugins().deployments.first().unwrap().generation
}

#[test]
fn a_task_finds_its_state_again_after_steps_before_it_were_removed() {
    let folder = tempfile::tempdir().unwrap();
    let before = topology("a", &format!("{TABLE}{RULE}"));
    start(folder.path(), &before, candidate("one", 1)).unwrap();
    let mut worker = start(folder.path(), &before, candidate("two", 1)).unwrap();
    let topic = before.topics.iter().position(|topic| topic.name == "in").map(TopicId).unwrap();
    worker.append(topic, 0, NewRecord::new(1, "k", "1"), 0, 0).unwrap();
    worker.run(&mut Keeps).unwrap();
    worker.commit().unwrap();
    drop(worker);

    let after = topology("a", RULE);
    let log = log(folder.path(), &after);
    let plan = plan(&log, &after, candidate("two", 1)).unwrap();
    let older = plan.plugins().deployments.iter().map(|active| Deployed::new(active.id, 1, &active.digest));
    let older = ActivePlugins::new(after, older.collect());
    let database = Arc::clone(log.database());
    let opened = Worker::open(&older, database, log, WorkerOptions::default());
    match opened.err().unwrap() {
        Error::Task(TaskError::OldDeployment { recorded: 2, active: 1, .. }) => {}
        other => panic!("{other}"),
    }
}

#[test]
fn unfinished_work_on_a_topic_that_no_step_reads_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = topology("a", RULE);
    let worker = start(folder.path(), &pipeline, candidate("one", 1)).unwrap();
    drop(worker);
    let database = Arc::clone(log(folder.path(), &pipeline).database());
    let mut batch = Batch::new(&database);
    batch.set(pipeline.subtopologies.first().unwrap().meta, 3, b"rest/gone/00000000", Some(b"a part")).unwrap();
    database.write(batch, Durability::Buffered).unwrap();
    drop(database);
    match start(folder.path(), &pipeline, candidate("one", 1)).err().unwrap() {
        Error::Task(TaskError::UnfinishedRun { topic, .. }) => assert_eq!(topic, "gone"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_folder_belongs_to_the_first_app_that_has_started_in_it() {
    let folder = tempfile::tempdir().unwrap();
    // A topic that is made beforehand makes it nobody's.
    log(folder.path(), &topology("one", TABLE)).create_topic("first-in", 1).unwrap();
    start(folder.path(), &topology("one", RULE), candidate("p", 1)).unwrap();
    let refused = start(folder.path(), &topology("two", RULE), candidate("p", 1)).err().unwrap();
    assert_eq!(refused.to_string(), "the folder belongs to app `one`; use another --data for `two`");
    start(folder.path(), &topology("one", RULE), candidate("p", 1)).unwrap();
}

#[test]
fn a_start_that_fails_records_no_deployment() {
    let folder = tempfile::tempdir().unwrap();
    let good = topology("a", RULE);
    let worker = start(folder.path(), &good, candidate("one", 1)).unwrap();
    worker.log().create_topic("other", 2).unwrap();
    drop(worker);
    let failed = start(folder.path(), &topology("a", JOIN), candidate("two", 1)).err().unwrap();
    assert!(matches!(failed, Error::Partitions(_)), "{failed}");
    assert_eq!(generation(folder.path(), &good, "one"), 1, "what ran before is still the active one");
    start(folder.path(), &good, candidate("one", 1)).unwrap();
}

#[test]
fn a_folder_in_which_no_app_has_started_is_open_to_any_app() {
    let folder = tempfile::tempdir().unwrap();
    let made = log(folder.path(), &topology("one", JOIN));
    made.create_topic("in", 1).unwrap();
    made.create_topic("other", 2).unwrap();
    drop(made);
    assert!(start(folder.path(), &topology("one", JOIN), candidate("p", 1)).is_err());
    start(folder.path(), &topology("two", RULE), candidate("p", 2)).unwrap();
}

#[test]
fn a_plugin_that_can_not_read_the_state_is_refused_and_its_predecessor_still_runs() {
    let folder = tempfile::tempdir().unwrap();
    let app = topology("a", RULE);
    start(folder.path(), &app, candidate("one", 1)).unwrap();
    let refused = start(folder.path(), &app, candidate("two", 2)).err().unwrap();
    assert!(matches!(refused, Error::Deployment(_)), "{refused}");
    assert_eq!(generation(folder.path(), &app, "one"), 1);
    assert_eq!(generation(folder.path(), &app, "three"), 2);
}

/// An app with state in its store `sums`, in this folder.
fn counted(folder: &Path) {
    let app = topology("a", RULE);
    let mut worker = start(folder, &app, candidate("one", 1)).unwrap();
    let topic = app.topics.iter().position(|topic| topic.name == "in").map(TopicId).unwrap();
    worker.append(topic, 0, NewRecord::new(1, "k", "1"), 0, 0).unwrap();
    worker.run(&mut Keeps).unwrap();
    worker.commit().unwrap();
}

const WINDOWED: &str = "call = 'p.sum'\nwindow = { tumbling = '1m' }";

#[test]
fn a_step_is_refused_the_state_of_another_kind_of_step_and_its_predecessor_still_runs() {
    let folder = tempfile::tempdir().unwrap();
    counted(folder.path());
    let windowed = topology("a", &RULE.replace("call = 'p.sum'", WINDOWED));
    let refused = start(folder.path(), &windowed, candidate("one", 1)).err().unwrap();
    assert_eq!(
        refused.to_string(),
        "step `sums`: there is state in its store `sums` of an aggregate by `sum` without windows, and now it is an \
         aggregate by `sum` with tumbling windows of 1m: entries of the one would be taken for entries of the other. Make \
         the step what it was, or give it another name, under which it begins with empty state; or start anew in another \
         folder (--data)"
    );
    start(folder.path(), &topology("a", RULE), candidate("one", 1)).unwrap();
    start(folder.path(), &topology("a", &RULE.replace("sums", "totals")), candidate("one", 1)).unwrap();
}

#[test]
fn a_step_without_state_may_become_another_kind_of_step() {
    let folder = tempfile::tempdir().unwrap();
    let windowed = topology("a", &RULE.replace("call = 'p.sum'", WINDOWED));
    for app in [topology("a", RULE), windowed] {
        start(folder.path(), &app, candidate("one", 1)).unwrap();
    }
}

//! A driver in memory and rules in Rust: pipelines as text, records as text, results as text.

#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alarms;
mod backend;
mod driver;
pub mod golden;
mod limits;
mod rules;
mod single;
mod wild;

pub use backend::Disk;
pub use driver::{Play, play, play_on, play_records};
pub use limits::Limits;
pub use rules::Rules;
pub use single::{Single, header, value};
pub use wild::Wild;

use std::path::PathBuf;
use std::sync::Arc;

use millrace_engine::deployment::{ActivePlugins, ShadowPlan, Shadows};
use millrace_engine::ports::DeploymentId;
use millrace_engine::task::Deployed;
use millrace_engine::topology::Topology;
use millrace_pipeline::{self as pipeline, SourceFile};

/// The beginning of each pipeline file.
const APP: &str = "app = \"test\"\ndlq = \"dead\"\n";

/// The plugin of the tests: `rules.rs` has its functions.
const PLUGIN: &str = "[plugins.t]\ncomponent = \"t.wasm\"\n";

/// A topology from the steps of a pipeline file.
pub fn topology(steps: &str) -> Arc<Topology> {
    let plugin = if steps.contains("t.") { PLUGIN } else { "" };
    let text = format!("{APP}{plugin}{steps}");
    let file = SourceFile { path: PathBuf::from("test.toml"), text };
    let pipeline = pipeline::parse(&[file], &Default::default()).unwrap_or_else(|errors| panic!("{}", all(&errors)));
    let manifests = rules::manifests();
    Arc::new(pipeline::build(&pipeline, &manifests).unwrap_or_else(|errors| panic!("{}", all(&errors))))
}

/// The plugin of the tests as deployment 0, with a shadow of it as deployment 1.
pub fn with_shadow(topology: &Arc<Topology>, plan: ShadowPlan) -> ActivePlugins {
    let deployments = |id| -> Arc<[Deployed]> { Arc::new([Deployed::new(DeploymentId(id), 1 + id, "d")]) };
    let mut plugins = ActivePlugins::new(Arc::clone(topology), deployments(0));
    let shadows = Shadows { topology: Arc::clone(topology), deployments: deployments(1), plans: vec![Some(plan)] };
    plugins.shadows = Some(Arc::new(shadows));
    plugins
}

fn all(errors: &[pipeline::Diagnostic]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

/// Runs records through a pipeline in many ways (batches of any size, restarts at every commit, windows on disk) and
/// compares the outputs with the expected lines: `topic key value @time`, dead letters with code and origin.
#[track_caller]
pub fn check(steps: &str, input: &str, expected: &str) {
    check_within(Limits::NONE, steps, input, expected);
}

/// The same with limits of records and states.
#[track_caller]
pub fn check_within(limits: Limits, steps: &str, input: &str, expected: &str) {
    let topology = topology(steps);
    let lines: Vec<&str> = trimmed(input);
    for way in Play::ways(limits) {
        let (outputs, _) = play(&topology, &lines, &way);
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        assert_eq!(outputs, trimmed(expected), "{way:?}");
    }
}

/// Checks the counts at the end: `step kind code n`.
#[track_caller]
pub fn check_counts(steps: &str, input: &str, expected: &str) {
    let topology = topology(steps);
    for way in Play::ways(Limits::NONE) {
        let (_, ledger) = play(&topology, &trimmed(input), &way);
        let counts = ledger.counts().map(|(step, what, code, n)| format!("{step} {} {code} {n}", what.name()));
        assert_eq!(counts.collect::<Vec<_>>(), trimmed(expected), "{way:?}");
    }
}

pub fn trimmed(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

//! The report of a shadow.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::canary::ALL;
use millrace_engine::deployment::ShadowPlan;
use millrace_engine::logic::Logic;
use millrace_engine::ports::{
    Attempt, CallError, Called, Clock, DeploymentId, Due, Fault, Field, FunctionId, Group, Grouped, Message, Mode,
    Outcome, Output, Pair, Stored,
};
use millrace_engine::shadow::{ShadowLogic, Unlimited};
use millrace_engine::state::ProcessScope;
use support::topology;

const STEPS: &str = "[[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\n[[transform]]\nname = \"t\"\nfrom = \"in\"\n\
    call = \"t.upper\"\n[[sink]]\nfrom = \"t\"\ntopic = \"out\"\n";

/// The active version passes values on. The shadow does so too, but for the values that say what it does.
struct Planted;

fn outcome(message: &Message<'_>, is_shadow: bool) -> Result<Outcome, CallError> {
    let value = message.value.unwrap_or_default();
    let text = std::str::from_utf8(value).unwrap();
    let output = |value: &str| Output {
        port: 0,
        key: Field::Inherit,
        value: Field::Bytes(Bytes::copy_from_slice(value.as_bytes())),
        timestamp: None,
        headers: None,
    };
    let trap = || CallError::Guest { fault: Fault::Trap, at: None, text: "unreachable".into() };
    let unchanged = output(text);
    let outputs = match text {
        "trap" if is_shadow => return Err(trap()),
        "both trap" => return Err(trap()),
        "skip" if is_shadow => return Ok(Outcome::Skip("unwanted".into())),
        "none" if is_shadow => vec![],
        "key" if is_shadow => vec![Output { key: Field::Bytes("other".into()), ..unchanged }],
        "time" if is_shadow => vec![Output { timestamp: Some(99), ..unchanged }],
        "inherit" if is_shadow => vec![Output { value: Field::Inherit, ..unchanged }],
        r#"{"price":[1,{"of":2}]}"# if is_shadow => vec![output(r#"{"price":[1,{"of":3}],"at":5}"#)],
        _ => vec![unchanged],
    };
    Ok(Outcome::Outputs(outputs))
}

impl Logic for Planted {
    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        _: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let is_shadow = function.deployment == DeploymentId(1);
        let result = messages.iter().map(|message| outcome(message, is_shadow)).collect::<Result<_, _>>()?;
        Ok(Called { result, effects: Vec::new() })
    }

    fn join(&mut self, _: FunctionId, _: &[Pair<'_>], _: Attempt) -> Result<Called<Vec<Outcome>>, CallError> {
        unreachable!()
    }

    fn aggregate(
        &mut self,
        _: FunctionId,
        _: &[Group<'_>],
        _: Mode,
        _: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        unreachable!()
    }

    /// Sets timers, the shadow others than the active version.
    fn process(
        &mut self,
        function: FunctionId,
        _: Message<'_>,
        mut scope: ProcessScope,
        _: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        let is_shadow = function.deployment == DeploymentId(1);
        scope.set_at("same", 50, Clock::Wall).unwrap();
        scope.set_at("moved", if is_shadow { 99 } else { 60 }, Clock::Stream).unwrap();
        scope.set_at("kept", 70, Clock::Stream).unwrap();
        if is_shadow {
            scope.cancel("kept", Clock::Stream).unwrap();
            scope.set_at("new", 80, Clock::Stream).unwrap();
        }
        (Ok(Called { result: Outcome::Outputs(vec![]), effects: Vec::new() }), scope)
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

/// The report over these values, a line for each group: class, place, records, old and new of the first one.
fn report(values: &[&str], ignore: &[&str]) -> (Vec<String>, [u64; 3]) {
    let topology = topology(STEPS);
    let plan = ShadowPlan { share: ALL, budget: ALL, ignore: ignore.iter().map(|text| (*text).to_owned()).collect() };
    let plugins = support::with_shadow(&topology, plan);
    let mut logic = ShadowLogic::new(Planted, Planted, Box::new(Unlimited), Arc::default());
    logic.adopt(&plugins);
    let message = |value: &&'static str| Message {
        input: "in",
        key: Some(b"k"),
        value: Some(value.as_bytes()),
        timestamp: 7,
        headers: &[],
        window: None,
    };
    let values: Vec<&'static str> = values.iter().map(|value| &*value.to_string().leak()).collect();
    let messages: Vec<_> = values.iter().map(message).collect();
    let function = topology.subtopologies.iter().flat_map(|part| &part.nodes).find_map(|node| node.operator.call());
    let function = FunctionId { deployment: DeploymentId(0), function: function.unwrap().function };
    if logic.transform(function, &messages, Attempt::Batch).is_err() {
        // As the engine does after a batch has failed.
        for message in &messages {
            let _ = logic.transform(function, std::slice::from_ref(message), Attempt::Verdict);
        }
    }
    let report = logic.report().unwrap();
    let groups = report.groups.iter().map(|(key, group)| {
        let sample = group.samples.first().unwrap();
        format!("{} {} {}: {} -> {}", key.class.name(), key.place, group.records, sample.old, sample.new)
    });
    (groups.collect(), [report.compared, report.equal, report.ignored])
}

#[test]
fn each_difference_has_its_class_its_place_and_both_sides() {
    let values = ["same", "trap", "skip", "none", "key", "time", "inherit", r#"{"price":[1,{"of":2}]}"#, "same"];
    let (groups, counts) = report(&values, &[]);
    assert_eq!(
        groups,
        [
            "outcome  2: 1 outputs -> fail `trap`",
            "outputs  1: 1 -> 0",
            "key  1: k -> other",
            "value /at 1: (nothing) -> 5",
            "value /price/*/of 1: 2 -> 3",
            "timestamp  1: 7 -> 99",
        ]
    );
    assert_eq!(counts, [9, 3, 0], "what is inherited is the same as what is written");
}

#[test]
fn differences_that_are_meant_are_counted_only() {
    let (groups, counts) = report(&[r#"{"price":[1,{"of":2}]}"#, "time"], &["value:/at", "timestamp"]);
    assert_eq!(groups, ["value /price/*/of 1: 2 -> 3"]);
    assert_eq!(counts, [2, 1, 2]);
}

#[test]
fn a_record_that_fails_in_both_versions_alike_is_equal() {
    let (groups, counts) = report(&["both trap", "same", "key"], &[]);
    assert_eq!(groups, ["key  1: k -> other"]);
    assert_eq!(counts, [3, 2, 0]);
}

#[test]
fn timers_that_the_versions_set_otherwise_are_differences_and_those_of_the_shadow_are_undone() {
    let topology = topology(
        "[[source]]\nname = \"in\"\ntopic = \"in\"\n[[process]]\nname = \"a\"\nfrom = \"in\"\ncall = \"t.alarm\"\n\
         [[sink]]\nfrom = \"a\"\ntopic = \"out\"\n",
    );
    let plan = ShadowPlan { share: ALL, budget: ALL, ignore: Vec::new() };
    let mut logic = ShadowLogic::new(Planted, Planted, Box::new(Unlimited), Arc::default());
    logic.adopt(&support::with_shadow(&topology, plan));
    let call = topology.subtopologies.iter().flat_map(|part| &part.nodes).find_map(|node| node.operator.call());
    let function = FunctionId { deployment: DeploymentId(0), function: call.unwrap().function };
    let scope = ProcessScope::with_timers(support::Disk::default().partition(0), 1, Some("k".into()), 5, 5).unwrap();
    let (key, headers, window) = (Some(&b"k"[..]), &[][..], None);
    let message = Message { input: "in", key, value: None, timestamp: 5, headers, window };
    let (called, scope) = logic.process(function, message, scope, Attempt::Batch);
    called.unwrap();
    let times = ["same", "moved", "kept", "new"].map(|name| scope.timer(name, Clock::Stream).unwrap());
    assert_eq!(times, [None, Some(60), Some(70), None]);
    assert_eq!(scope.timer("same", Clock::Wall).unwrap(), Some(50));
    let report = logic.report().unwrap();
    let groups = report.groups.iter().map(|(key, group)| {
        let sample = group.samples.first().unwrap();
        format!("{} {}: {} -> {}", key.class.name(), key.place, sample.old, sample.new)
    });
    let expected = [
        "timers kept: set for 70 -> cancelled",
        "timers moved: set for 60 -> set for 99",
        "timers new: (nothing) -> set for 80",
    ];
    assert_eq!(groups.collect::<Vec<_>>(), expected);
}

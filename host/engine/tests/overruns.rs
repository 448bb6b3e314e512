//! Guest calls whose time is over: no verdict on any record, and no end of the task's life.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::ports::{
    Attempt, CallError, Called, DeploymentId, Due, FunctionId, Group, Grouped, Logic, Message, Mode, Outcome, Pair,
};
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::state::ProcessScope;
use millrace_engine::task::{Deployed, Task, TaskError, TaskOptions};
use support::{Disk, topology};

/// Rules that never get to an end, of whatever role.
struct Endless;

type Answer = (Result<Called<Outcome>, CallError>, ProcessScope);

impl Logic for Endless {
    fn transform(&mut self, _: FunctionId, _: &[Message<'_>], _: Attempt) -> Result<Called<Vec<Outcome>>, CallError> {
        Err(CallError::Overrun)
    }

    fn join(&mut self, _: FunctionId, _: &[Pair<'_>], _: Attempt) -> Result<Called<Vec<Outcome>>, CallError> {
        Err(CallError::Overrun)
    }

    fn aggregate(
        &mut self,
        _: FunctionId,
        _: &[Group<'_>],
        _: Mode,
        _: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        Err(CallError::Overrun)
    }

    fn process(&mut self, _: FunctionId, _: Message<'_>, scope: ProcessScope, _: Attempt) -> Answer {
        (Err(CallError::Overrun), scope)
    }

    fn on_timer(&mut self, _: FunctionId, _: Due<'_>, scope: ProcessScope, _: Attempt) -> Answer {
        (Err(CallError::Overrun), scope)
    }
}

/// Runs three records through a pipeline with this step. Gives the step that is named.
fn overrun(step: &str) -> String {
    let sources = "[[source]]\nname = 'in'\ntopic = 'in'\nvalue = 'bytes'\n\
        [[source]]\nname = 'other'\ntopic = 'other'\nvalue = 'bytes'\n\
        [[sink]]\nfrom = 'other'\ntopic = 'others'\n[[sink]]\nfrom = 'step'\ntopic = 'out'\n";
    let topology = topology(&format!("{sources}{step}"));
    let deployed = [Deployed { id: DeploymentId(0), generation: 1, digest: "d".into() }];
    let partitions = topology.topics.iter().map(|_| 1).collect();
    let shape = topology.subtopologies.iter().position(|part| part.nodes.iter().any(|node| node.name == "step"));
    let options = TaskOptions { batch: 100, ..TaskOptions::new(shape.unwrap(), 0, partitions, deployed.into()) };
    let mut task = Task::open(Arc::clone(&topology), options, Disk::default().partition(0)).unwrap();
    for input in 0..task.inputs().len() {
        for offset in 0..3 {
            let (key, value) = (Some(Bytes::from("k")), Some(Bytes::from("v")));
            let (timestamp_type, headers) = (TimestampType::CreateTime, Headers::EMPTY);
            let (timestamp, arrived, turn) = (7, 0, 0);
            task.offer(input, InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived, turn });
        }
    }
    assert!(task.queued_in_all() >= 3);
    match task.run(&mut Endless, usize::MAX) {
        Err(TaskError::Overrun { step }) => step,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_whose_time_is_over_ends_and_names_the_step_whatever_that_does() {
    for step in [
        "[[transform]]\nname = 'step'\nfrom = 'in'\ncall = 't.upper'",
        "[[join]]\nname = 'step'\nleft = 'in'\nright = 'other'\nwithin = '5ms'\ncall = 't.cat'",
        "[[aggregate]]\nname = 'step'\nfrom = 'in'\ncall = 't.append'",
        "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { tumbling = '1s' }\ncall = 't.append'",
        "[[process]]\nname = 'step'\nfrom = 'in'\ncall = 't.number'",
    ] {
        assert_eq!(overrun(step), "step", "{step}");
    }
}

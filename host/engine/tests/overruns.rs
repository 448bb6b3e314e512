//! Guest calls beyond their time limit: no record fails, and the task can be opened anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::ports::{
    Attempt, CallError, Called, DeploymentId, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair, Stored,
};
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::state::ProcessScope;
use millrace_engine::task::{Deployed, Produced, Task, TaskError, TaskOptions};
use support::{Disk, topology};

/// Which calls never return in time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Endless {
    All,
    Timers,
    None,
}

/// Rules of which some never return in time.
struct Rules(support::Rules, Endless);

type Answer = (Result<Called<Outcome>, CallError>, ProcessScope);

impl Logic for Rules {
    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        match self.1 {
            Endless::All => Err(CallError::Overrun),
            _ => self.0.transform(function, messages, attempt),
        }
    }

    fn join(&mut self, _: FunctionId, _: &[Pair<'_>], _: Attempt) -> Result<Called<Vec<Outcome>>, CallError> {
        Err(CallError::Overrun)
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        match self.1 {
            Endless::All => Err(CallError::Overrun),
            _ => self.0.aggregate(function, groups, mode, attempt),
        }
    }

    fn process(&mut self, function: FunctionId, message: Message<'_>, scope: ProcessScope, attempt: Attempt) -> Answer {
        match self.1 {
            Endless::All => (Err(CallError::Overrun), scope),
            _ => self.0.process(function, message, scope, attempt),
        }
    }

    fn on_timer(&mut self, function: FunctionId, due: Due<'_>, scope: ProcessScope, attempt: Attempt) -> Answer {
        match self.1 {
            Endless::None => self.0.on_timer(function, due, scope, attempt),
            _ => (Err(CallError::Overrun), scope),
        }
    }

    fn rewrite(
        &mut self,
        function: FunctionId,
        store: usize,
        values: &[Stored],
        attempt: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        match self.1 {
            Endless::All => Err(CallError::Overrun),
            _ => self.0.rewrite(function, store, values, attempt),
        }
    }
}

/// A task of a pipeline with a step `step`, and its rules.
fn open(steps: &str, endless: Endless) -> (Task, Rules) {
    let sources = "[[source]]\nname = 'in'\ntopic = 'in'\nvalue = 'bytes'\n\
        [[source]]\nname = 'other'\ntopic = 'other'\nvalue = 'bytes'\n\
        [[sink]]\nfrom = 'in'\ntopic = 'ins'\n[[sink]]\nfrom = 'other'\ntopic = 'others'\n\
        [[sink]]\nfrom = 'step'\ntopic = 'out'\n";
    let topology = topology(&format!("{sources}{steps}"));
    let deployed = [Deployed::new(DeploymentId(0), 1, "d")];
    let partitions = topology.topics.iter().map(|_| 1).collect();
    let shape = topology.subtopologies.iter().position(|part| part.nodes.iter().any(|node| node.name == "step"));
    let options = TaskOptions { batch: 100, ..TaskOptions::new(shape.unwrap(), 0, partitions, deployed.into()) };
    let rules = Rules(support::Rules::new(&topology), endless);
    (Task::open(topology, options, Disk::default().partition(0)).unwrap(), rules)
}

/// Three records for each input.
fn offer(task: &mut Task, value: &str, timestamp: i64) {
    for input in 0..task.inputs().len() {
        for number in 0..3 {
            let (key, value) = (Some(Bytes::from("k")), Some(Bytes::from(value.to_owned())));
            let (timestamp_type, headers) = (TimestampType::CreateTime, Headers::EMPTY);
            let (offset, arrived, turn) = (timestamp * 3 + number, 0, 0);
            task.offer(input, InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived, turn });
        }
    }
}

/// The step in the error.
fn named(result: Result<Vec<Produced>, TaskError>) -> String {
    match result {
        Err(TaskError::Overrun { step }) => step,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_beyond_its_time_limit_ends_with_the_name_of_the_step_of_any_kind() {
    let rows = "[[table]]\nname = 'rows'\nfrom = 'other'\n";
    for step in [
        "[[source]]\nname = 'step'\ntopic = 'own'\nvalue = 'bytes'\nvalidate = 't.check'",
        "[[transform]]\nname = 'step'\nfrom = 'in'\ncall = 't.upper'",
        "[[join]]\nname = 'step'\nleft = 'in'\nright = 'other'\nwithin = '5ms'\ncall = 't.cat'",
        &format!("{rows}[[lookup]]\nname = 'step'\nstream = 'in'\ntable = 'rows'\nkind = 'left'\ncall = 't.cat'"),
        &format!(
            "{rows}[[table]]\nname = 'own'\nfrom = 'in'\n\
             [[table-join]]\nname = 'step'\nleft = 'own'\nright = 'rows'\ncall = 't.cat'"
        ),
        "[[aggregate]]\nname = 'step'\nfrom = 'in'\ncall = 't.append'",
        "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { tumbling = '1s' }\ncall = 't.append'",
        "[[process]]\nname = 'step'\nfrom = 'in'\ncall = 't.number'",
    ] {
        let (mut task, mut rules) = open(step, Endless::All);
        offer(&mut task, "v", 7);
        assert_eq!(named(task.run(&mut rules, usize::MAX)), "step", "{step}");
    }
}

#[test]
fn a_timer_a_flush_and_a_close_beyond_the_time_limit_end_with_the_name_of_the_step() {
    let alarms = "[[process]]\nname = 'step'\nfrom = 'in'\ncall = 't.alarm'";
    let (mut task, mut rules) = open(alarms, Endless::Timers);
    offer(&mut task, "at.a.20", 7);
    task.run(&mut rules, usize::MAX).unwrap();
    offer(&mut task, "x", 30);
    assert_eq!(named(task.run(&mut rules, usize::MAX)), "step", "a stream-time timer");

    let (mut task, mut rules) = open(alarms, Endless::Timers);
    offer(&mut task, "wat.a.20", 7);
    task.run(&mut rules, usize::MAX).unwrap();
    assert_eq!(named(task.tick(&mut rules, 30, 0)), "step", "a timer of the driver's clock");

    let sums = |emit: &str| format!("[[aggregate]]\nname = 'sums'\nfrom = 'in'\ncall = 't.append'\n{emit}\n");
    let upper = "[[transform]]\nname = 'step'\nfrom = 'sums'\ncall = 't.upper'";
    let (mut task, mut rules) = open(&(sums("emit = 'commit'") + upper), Endless::None);
    offer(&mut task, "v", 7);
    task.run(&mut rules, usize::MAX).unwrap();
    rules.1 = Endless::All;
    assert_eq!(named(task.flush(&mut rules, 30, 0)), "step", "a pending result");

    let windows = sums("window = { tumbling = '1s' }\nemit = 'final'").replace("'sums'", "'step'");
    let (mut task, mut rules) = open(&windows, Endless::None);
    offer(&mut task, "v", 7);
    task.run(&mut rules, usize::MAX).unwrap();
    rules.1 = Endless::All;
    assert_eq!(named(task.close(&mut rules, 30, 0)), "step", "a window that closes");
}

//! A task that reads two topics, one of which is stalled, and a task whose state can't be written.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::ports::{Backend, BackendError, Scan};
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::task::TaskOptions;
use millrace_engine::topology::{StoreKind, StoreSpec};
use millrace_pipeline::{self as pipeline, SourceFile};
use millrace_store::{Database, OpenOptions};

use super::*;
use crate::error::Error;
use crate::state::postponed::CatchUpBackend;

const MERGED: &str = r#"
    app = "app"
    [[source]]
    name = "a"
    topic = "a"
    [[source]]
    name = "b"
    topic = "b"
    [[merge]]
    name = "both"
    from = ["a", "b"]
    [[sink]]
    from = "both"
    topic = "out"
"#;

/// No state.
struct Nothing;

impl Backend for Nothing {
    fn get(&self, _: StoreId, _: &[u8]) -> Result<Option<Bytes>, BackendError> {
        Ok(None)
    }

    fn scan(
        &self,
        _: StoreId,
        _: &[u8],
        _: Option<&[u8]>,
        _: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        Ok(())
    }
}

/// An input that is read to its end.
fn input(topic: TopicId) -> Input {
    Input { topic, partition: Some(0), ..input_for_tests(c"topic") }
}

fn active() -> ActiveTask {
    let file = SourceFile { path: "merged.toml".into(), text: MERGED.into() };
    let topology =
        pipeline::build(&pipeline::parse(&[file], &Default::default()).unwrap(), &Default::default()).unwrap();
    let options = TaskOptions::new(0, 0, vec![1; topology.topics.len()].into(), Vec::new().into());
    let task = Task::open(Arc::new(topology), options, Box::new(Nothing)).unwrap();
    let inputs = task.inputs().iter().map(|topic| input(*topic)).collect();
    let (id, limits) = (TaskId { subtopology: 0, partition: 0 }, Limits::default());
    ActiveTask {
        id,
        task,
        inputs,
        slots: Vec::new(),
        limits,
        dirty: false,
        sent: false,
        taken: 0,
        fired: 0,
        generations: Default::default(),
        version: 0,
    }
}

/// Nothing is known of the first input, and nothing comes from it.
fn stall(active: &mut ActiveTask) {
    (active.inputs[0].end, active.inputs[0].left, active.inputs[0].stalled) = (None, None, true);
}

fn offer(active: &mut ActiveTask, input: usize) {
    let record = InputRecord {
        offset: 7,
        timestamp: 1,
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: None,
        headers: Headers::EMPTY,
        arrived: 1,
        turn: 0,
    };
    active.task.offer(input, record);
}

#[test]
fn a_stalled_input_is_no_backlog_and_no_end() {
    let mut active = active();
    assert!(active.is_caught_up() && active.is_idle() && active.is_at_end());
    active.inputs[0].left = None;
    assert!(!active.is_caught_up(), "nobody has said yet how much there is");
    stall(&mut active);
    assert!(active.is_caught_up() && active.is_idle(), "its neighbours wait for it no longer");
    assert!(!active.is_at_end(), "which doesn't make it done");
}

#[test]
fn records_that_wait_for_a_stalled_input_are_no_backlog_either() {
    let mut active = active();
    (active.inputs[1].end, active.inputs[1].left) = (None, Some(1_000_000));
    offer(&mut active, 1);
    assert!(!active.is_caught_up() && !active.is_idle());
    stall(&mut active);
    assert!(active.is_caught_up() && active.is_idle(), "it can't be processed before the first input is read");
    offer(&mut active, 0);
    assert!(!active.is_caught_up() && !active.is_idle(), "now it can");
}

#[test]
fn state_that_cannot_be_written_when_it_is_read_fails_the_task_with_the_error_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let kind = StoreKind::WindowRecords { retention: 10 };
    let join = StoreSpec { name: "join".into(), kind, key: KeyCodec::Bytes, queryable: false, subtopology: 0 };
    // It has no place for positions.
    let database = Arc::new(Database::open(folder.path(), &OpenOptions::new(std::slice::from_ref(&join))).unwrap());
    let (store, postponed) = (StoreId(0), PostponedWrites::new(StoreId(0), 0, b"join/0".to_vec()));
    let mut active = active();
    let topic = "id".to_owned();
    active.slots.push(ChangelogSlot { store, number: 0, key: Vec::new(), topic, postponed: Some(postponed.clone()) });

    postponed.keep(&StoreChanges { store, entries: Vec::new(), expire_before: None }, None);
    let written = database.backend(0);
    let backend = CatchUpBackend { database, written, postponed: vec![postponed] };
    let error = backend.get(store, b"key").unwrap_err();
    assert!(matches!(active.reaction(error.into()), Reaction::Fail(Error::Store(_))));
    let other = BackendError { store: "join".into(), reason: "it is damaged".into() };
    assert!(matches!(active.reaction(other.into()), Reaction::Fail(Error::Task(_))), "it isn't for that");
}

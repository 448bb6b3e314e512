//! The database against the simplest thing that does the same: a map in memory.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use common::{TABLE, WINDOW, open};
use millrace_engine::ports::{Backend, Scan, StoreChanges, StoreId};
use millrace_engine::state::keys::{part, window_key};
use millrace_store::{Batch, Database, Durability};
use proptest::prelude::*;

type Model = BTreeMap<(u32, Bytes), Bytes>;

/// Partition, key, new value.
type Entries = [(u32, Bytes, Option<Bytes>)];

#[derive(Clone, Debug)]
enum Step {
    /// Writes a batch: partition, key, new value.
    Write(Vec<(u32, Bytes, Option<Bytes>)>, Durability),
    /// Writes a batch that puts entries, empties a partition, and puts more.
    Clear(Vec<(u32, Bytes, Option<Bytes>)>, u32, Vec<(u32, Bytes, Option<Bytes>)>),
    /// Makes a batch and drops it.
    Abort(Vec<(u32, Bytes, Option<Bytes>)>),
    Get(u32, Bytes),
    /// Partition, from, to, number of entries after which to stop.
    Scan(u32, Bytes, Option<Bytes>, usize),
    Flush,
    Compact,
    Reopen,
}

/// Few different keys, so that steps meet; bytes at both ends of their range, so that bounds are hit.
fn key() -> impl Strategy<Value = Bytes> {
    let byte = prop_oneof![Just(0_u8), Just(1), Just(b'a'), Just(0xff)];
    prop::collection::vec(byte, 0..4).prop_map(Bytes::from)
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(-1), Just(0), Just(7), Just(i64::MAX)]
}

/// Keys of a window store, few and near to each other, and some that are none.
fn times() -> impl Strategy<Value = Bytes> {
    let part = prop_oneof![Just(part::LEFT), Just(part::RIGHT), Just(part::WAITING)];
    let sequence = prop_oneof![Just(0), Just(1), Just(u64::MAX)];
    let window = (part, key(), time(), sequence);
    let window = window.prop_map(|(part, key, time, sequence)| window_key(part, &key, time, sequence));
    prop_oneof![9 => window, 1 => key()]
}

/// Neighbours, and the last one there can be.
fn partition() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0_u32), 3 => Just(1), 1 => Just(0xff), 1 => Just(u32::MAX)]
}

fn entries(key: BoxedStrategy<Bytes>) -> impl Strategy<Value = Vec<(u32, Bytes, Option<Bytes>)>> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..50).prop_map(Bytes::from));
    prop::collection::vec((partition(), key, value), 0..12)
}

/// From and to.
type Bounds = (Bytes, Option<Bytes>);

/// Any two keys.
fn any_range(key: BoxedStrategy<Bytes>) -> BoxedStrategy<Bounds> {
    (key.clone(), prop::option::of(key)).boxed()
}

/// Some times of one key, as joins and windows look for them; sometimes any two keys.
fn times_of_one_key() -> BoxedStrategy<Bounds> {
    let part = prop_oneof![Just(part::LEFT), Just(part::RIGHT)];
    let one = (part, key(), time(), time()).prop_map(|(part, key, from, to)| {
        (window_key(part, &key, from, 0), Some(window_key(part, &key, to, u64::MAX)))
    });
    prop_oneof![3 => one, 1 => any_range(times().boxed())].boxed()
}

fn step(key: BoxedStrategy<Bytes>, range: BoxedStrategy<Bounds>) -> impl Strategy<Value = Step> {
    let (key, entries) = (|| key.clone(), || entries(key.clone()));
    let durability = prop_oneof![9 => Just(Durability::Buffered), 1 => Just(Durability::Synced)];
    prop_oneof![
        8 => (entries(), durability).prop_map(|(entries, durability)| Step::Write(entries, durability)),
        2 => (entries(), partition(), entries()).prop_map(|(before, partition, after)| Step::Clear(before, partition, after)),
        2 => entries().prop_map(Step::Abort),
        6 => (partition(), key()).prop_map(|(partition, key)| Step::Get(partition, key)),
        6 => (partition(), range, 1..9_usize)
            .prop_map(|(partition, (from, to), stop)| Step::Scan(partition, from, to, stop)),
        1 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn batch(database: &Arc<Database>, store: StoreId, entries: &Entries) -> Batch {
    let mut batch = Batch::new(database);
    for (partition, key, value) in entries {
        let entries = vec![(key.clone(), value.clone())];
        batch.apply(&StoreChanges { store, entries, expire_before: None }, *partition).unwrap();
    }
    batch
}

fn clear(database: &Arc<Database>, store: StoreId, before: &Entries, partition: u32) -> Batch {
    let mut batch = batch(database, store, before);
    batch.clear(store, partition).unwrap();
    batch
}

fn write_model(model: &mut Model, entries: Vec<(u32, Bytes, Option<Bytes>)>) {
    for (partition, key, value) in entries {
        match value {
            Some(value) => model.insert((partition, key), value),
            None => model.remove(&(partition, key)),
        };
    }
}

fn scan(backend: &impl Backend, store: StoreId, from: &[u8], to: Option<&[u8]>, stop: usize) -> Vec<(Bytes, Bytes)> {
    let mut found = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        if found.len() == stop { Scan::Stop } else { Scan::Continue }
    };
    backend.scan(store, from, to, &mut visit).unwrap();
    found
}

fn scan_model(model: &Model, partition: u32, from: &Bytes, to: Option<&Bytes>, stop: usize) -> Vec<(Bytes, Bytes)> {
    let of_partition = model.iter().filter(|((other, _), _)| *other == partition);
    let in_range = of_partition.filter(|((_, key), _)| key >= from && to.is_none_or(|to| key < to));
    in_range.take(stop).map(|((_, key), value)| (key.clone(), value.clone())).collect()
}

fn run(store: StoreId, steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Write(entries, durability) => {
                database.write(batch(&database, store, &entries), durability).unwrap();
                write_model(&mut model, entries);
            }
            Step::Clear(before, partition, after) => {
                let mut batch = clear(&database, store, &before, partition);
                for (partition, key, value) in &after {
                    batch.set(store, *partition, key, value.as_deref()).unwrap();
                }
                database.write(batch, Durability::Buffered).unwrap();
                write_model(&mut model, before);
                model.retain(|(other, _), _| *other != partition);
                write_model(&mut model, after);
            }
            Step::Abort(entries) => drop(batch(&database, store, &entries)),
            Step::Get(partition, key) => {
                let found = database.backend(partition).get(store, &key).unwrap();
                assert_eq!(found.as_ref(), model.get(&(partition, key)));
            }
            Step::Scan(partition, from, to, stop) => {
                let found = scan(&database.backend(partition), store, &from, to.as_deref(), stop);
                assert_eq!(found, scan_model(&model, partition, &from, to.as_ref(), stop));
            }
            Step::Flush => database.flush().unwrap(),
            Step::Compact => database.compact(store).unwrap(),
            Step::Reopen => {
                drop(database);
                database = open(folder.path());
            }
        }
    }
    let mut partitions: Vec<_> = model.keys().map(|(partition, _)| *partition).collect();
    partitions.dedup();
    assert_eq!(database.partitions(store).unwrap(), partitions);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_database_behaves_like_a_map(steps in prop::collection::vec(step(key().boxed(), any_range(key().boxed())), 1..60)) {
        run(TABLE, steps);
    }

    #[test]
    fn a_window_store_behaves_like_a_map(steps in prop::collection::vec(step(times().boxed(), times_of_one_key()), 1..60)) {
        run(WINDOW, steps);
    }
}

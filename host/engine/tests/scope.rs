//! Stores and timers of a process function during one call.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use millrace_engine::ports::{Clock, StoreChanges, StoreId, Stored};
use millrace_engine::state::ProcessScope;
use millrace_engine::state::keys::encode_stored;
use proptest::prelude::*;
use support::Disk;

fn with_timers() -> ProcessScope {
    ProcessScope::with_timers(Disk::default().partition(0), 1, Some(Bytes::from("k")), 50, 900).unwrap()
}

#[test]
fn a_timer_is_identified_by_name_and_clock_and_replaced_if_set_anew() {
    let mut scope = with_timers();
    assert!(scope.has_timers());
    scope.set_at("a", 70, Clock::Stream).unwrap();
    scope.set_at("a", 80, Clock::Wall).unwrap();
    scope.set_at("b", 10, Clock::Stream).unwrap();
    scope.set_at("a", 60, Clock::Stream).unwrap();
    assert_eq!(scope.timer("a", Clock::Stream).unwrap(), Some(60));
    assert_eq!(scope.timer("a", Clock::Wall).unwrap(), Some(80));
    assert_eq!(scope.timer("b", Clock::Stream).unwrap(), Some(10));
    scope.cancel("a", Clock::Stream).unwrap();
    scope.cancel("nobody", Clock::Stream).unwrap();
    assert_eq!(scope.timer("a", Clock::Stream).unwrap(), None);
    assert_eq!(scope.timer("a", Clock::Wall).unwrap(), Some(80));
}

#[test]
fn a_delay_counts_from_the_stream_time_or_from_the_drivers_clock() {
    let mut scope = with_timers();
    scope.set_after("a", 7, Clock::Stream).unwrap();
    scope.set_after("a", 7, Clock::Wall).unwrap();
    scope.set_after("never", u64::MAX, Clock::Wall).unwrap();
    assert_eq!(scope.timer("a", Clock::Stream).unwrap(), Some(57));
    assert_eq!(scope.timer("a", Clock::Wall).unwrap(), Some(907));
    assert_eq!(scope.timer("never", Clock::Wall).unwrap(), Some(millrace_engine::record::END_OF_TIME));
}

#[test]
fn a_function_without_timers_can_not_set_one() {
    let mut scope = ProcessScope::over(Disk::default().partition(0), 1);
    assert!(!scope.has_timers());
    assert!(scope.set_at("a", 1, Clock::Stream).is_err());
    assert!(scope.set_after("a", 1, Clock::Wall).is_err());
    assert!(scope.cancel("a", Clock::Wall).is_err());
    assert!(scope.timer("a", Clock::Wall).is_err());
}

fn stored(value: &str) -> Stored {
    Stored { version: 1, bytes: Bytes::copy_from_slice(value.as_bytes()) }
}

/// Committed entries of stores, and writes over them.
type Entries = Vec<(usize, String, Option<String>)>;

/// A scope over committed entries with writes, and the resulting stores.
fn written(committed: &Entries, writes: &Entries) -> (ProcessScope, [BTreeMap<String, String>; 2]) {
    let (disk, mut model) = (Disk::default(), [BTreeMap::new(), BTreeMap::new()]);
    for (store, key, value) in committed {
        let value = value.clone().unwrap_or_default();
        let entries = vec![(Bytes::from(key.clone()), Some(encode_stored(&stored(&value))))];
        disk.commit(0, &[StoreChanges { store: StoreId(*store), entries, expire_before: None }]);
        model[*store].insert(key.clone(), value);
    }
    let mut scope = ProcessScope::over(disk.partition(0), 2);
    for (store, key, value) in writes {
        let bytes = Bytes::from(key.clone());
        match value {
            Some(value) => {
                scope.put(*store, bytes, stored(value));
                model[*store].insert(key.clone(), value.clone());
            }
            None => {
                scope.delete(*store, bytes);
                model[*store].remove(key);
            }
        }
    }
    (scope, model)
}

fn entries() -> impl Strategy<Value = Entries> {
    prop::collection::vec((0..2usize, "[ab]{0,3}", prop::option::of("[xy]{0,4}")), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_a_range_are_what_is_committed_with_the_writes_over_it_and_are_bounded_in_bytes(
        committed in entries(),
        writes in entries(),
        store in 0..2usize,
        from in "[ab]{0,2}",
        to in prop::option::of("[abc]{0,2}"),
        max_bytes in 0..40usize,
    ) {
        let (scope, model) = written(&committed, &writes);
        let expected: Vec<(String, String)> = model[store]
            .iter()
            .filter(|(key, _)| **key >= from && to.as_ref().is_none_or(|to| *key < to))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let (mut all, mut next) = (Vec::new(), Some(Bytes::from(from)));
        while let Some(from) = next {
            let page = scope.range(store, &from, to.as_ref().map(String::as_bytes), max_bytes).unwrap();
            let bytes: usize = page.items.iter().map(|(key, value)| key.len() + value.bytes.len()).sum();
            prop_assert!(bytes <= max_bytes || page.items.len() == 1, "{page:?}");
            prop_assert!(!page.items.is_empty() || page.next.is_none(), "a page before another one has items");
            for (key, value) in page.items {
                prop_assert_eq!(scope.get(store, &key).unwrap(), Some(value.clone()));
                all.push((String::from_utf8(key.to_vec()).unwrap(), String::from_utf8(value.bytes.to_vec()).unwrap()));
            }
            next = page.next;
        }
        prop_assert_eq!(all, expected);
    }
}

#[test]
fn a_store_of_another_function_can_not_be_read_and_is_not_written() {
    let mut scope = ProcessScope::over(Disk::default().partition(0), 2);
    scope.put(2, Bytes::from("k"), stored("v"));
    scope.delete(7, Bytes::from("k"));
    assert_eq!(scope.stores(), 2);
    assert!(scope.get(2, b"k").is_err());
    assert!(scope.range(2, b"", None, 100).is_err());
    assert_eq!((scope.get(0, b"k").unwrap(), scope.get(1, b"k").unwrap()), (None, None));
}

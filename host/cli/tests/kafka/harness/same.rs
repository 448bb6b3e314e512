//! Comparison of two maps.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// Panics with the number of differences and the first ones: all would be megabytes.
pub fn assert_same<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    expected: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
) {
    let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(key)));
    let differ: Vec<_> = keys.filter(|key| expected.get(key) != found.get(key)).collect();
    if let Some(first) = differ.first() {
        let (wanted, got) = (expected.get(first), found.get(first));
        panic!("{what}: {} differ; {first:?} should be\n{wanted:?}\nand is\n{got:?}", differ.len());
    }
}

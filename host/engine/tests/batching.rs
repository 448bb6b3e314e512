//! Batching and restarts are invisible: over random pipelines and random records, whatever the batch size and wherever
//! the commits and restarts fall, outputs, counts and state are those of one record at a time. With limits of sizes and
//! without.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use millrace_engine::topology::{StoreKind, StoreSpec, Topology};
use proptest::prelude::*;
use support::{Limits, Play, topology};

/// A random pipeline: a table and two sources, then steps that each take any earlier ones, and a sink for each. Some
/// sinks write to a topic that is read again, and that records come to from outside too.
fn steps() -> impl Strategy<Value = String> {
    let step = || (0..14usize, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>());
    let layer = |most| prop::collection::vec(step(), 1..most);
    (layer(6), layer(4), 1..4u32).prop_map(|(first, second, partitions)| {
        let mut text = String::new();
        for (table, name) in [("source", "in"), ("source", "other"), ("source", "mid"), ("table", "rows")] {
            text += &format!("[[{table}]]\nname = \"{name}\"\ntopic = \"{name}\"\nvalue = \"bytes\"\n");
            text += &format!("partitions = {partitions}\n");
        }
        // A plugin must be called, and sources that no step takes are read all the same.
        let mut streams = vec!["in".to_owned(), "other".to_owned()];
        text += &step_of(0, "last", "in", "in");
        for name in ["last", "in", "other", "mid"] {
            text += &format!("[[sink]]\nfrom = \"{name}\"\ntopic = \"all\"\n");
        }
        let split = first.len();
        for (number, (kind, a, b, to_mid)) in first.into_iter().chain(second).enumerate() {
            if number == split {
                // From here on steps may also take what comes back, and so nothing may go there.
                streams.push("mid".to_owned());
            }
            let (name, a, b) = (format!("s{number}"), a.get(&streams).clone(), b.get(&streams).clone());
            text += &step_of(kind, &name, &a, &b);
            let topic = if to_mid && number < split { "mid".to_owned() } else { format!("out-{name}") };
            text += &format!("[[sink]]\nfrom = \"{name}\"\ntopic = \"{topic}\"\n");
            streams.push(name);
        }
        text
    })
}

fn step_of(kind: usize, name: &str, a: &str, b: &str) -> String {
    let one =
        |table: &str, call: &str| format!("[[{table}]]\nname = \"{name}\"\nfrom = \"{a}\"\ncall = \"t.{call}\"\n");
    let windowed = |window: &str, emit: &str| {
        let settings = format!("window = {{ {window} }}\ngrace = \"3ms\"\nemit = \"{emit}\"\n");
        one("aggregate", "append") + &settings
    };
    // Where each record makes many, not too many steps in a row may do so.
    let of_source = ["in", "other"].contains(&a);
    match kind {
        0 => one("transform", "upper"),
        1 => one("transform", "twice"),
        2 => one("transform", "rekey"),
        3 => one("aggregate", "append"),
        4 => one("process", "number"),
        5 => format!("[[lookup]]\nname = \"{name}\"\nstream = \"{a}\"\ntable = \"rows\"\ncall = \"t.cat\"\n"),
        6 if a != b => {
            format!(
                "[[join]]\nname = \"{name}\"\nleft = \"{a}\"\nright = \"{b}\"\nwithin = \"5ms\"\ncall = \"t.cat\"\n"
            )
        }
        7 => one("process", "alarm"),
        8 => windowed("tumbling = \"10ms\"", "each"),
        9 => windowed("hopping = \"20ms\", every = \"7ms\"", "final"),
        10 => windowed("session = \"4ms\"", if of_source { "each" } else { "final" }),
        11 => windowed("sliding = \"6ms\"", if of_source { "each" } else { "final" }),
        _ if a != b => format!("[[merge]]\nname = \"{name}\"\nfrom = [\"{a}\", \"{b}\"]\n"),
        _ => one("process", "keys"),
    }
}

fn record() -> impl Strategy<Value = String> {
    let topic = prop::sample::select(vec!["in", "in", "other", "mid", "rows", "tick"]);
    let key = prop::sample::select(vec!["a", "b", "c", "-"]);
    let values = vec!["x", "yy", "bz", "c1", "-", "clear", "fail", "skip", "trap", "retry"];
    let timers = vec![
        "at.again.20",
        "in.chain.4",
        "in.bad.5+in.boom.5",
        "in.stop.9+in.victim.9",
        "in.move.9",
        "off.chain",
        "win.again.3",
        "wat.chain.30+wat.stop.30",
        "win.boom.2",
        "win.victim.7",
        "wat.victim.0",
        "woff.victim",
    ];
    let value = prop::sample::select(values.into_iter().chain(timers).collect::<Vec<_>>());
    (topic, key, value, 0..60i64).prop_map(|(topic, key, value, time)| format!("{topic} {key} {value} @{time}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batch_size_and_any_restart_gives_what_one_record_at_a_time_gives(
        steps in steps(),
        records in prop::collection::vec(record(), 1..60),
        batch in prop::sample::select(vec![1usize, 2, 7, 100, usize::MAX]),
        commit_every in 1..20usize,
        window_memory in prop::sample::select(vec![0usize, 1_500, usize::MAX]),
        record_bytes in prop::sample::select(vec![9usize, 55, usize::MAX]),
        state_bytes in prop::sample::select(vec![18usize, 25, 40, usize::MAX]),
    ) {
        let limits = Limits { record_bytes, state_bytes };
        let topology = topology(&steps);
        let lines: Vec<&str> = records.iter().map(String::as_str).collect();
        let (outputs, ledger, disk) = support::play_on(&topology, &lines, &Play { limits, ..Play::PLAIN });
        let way = Play { batch, commit_every, restart: true, window_memory, limits };
        let (other_outputs, other_ledger, other_disk) = support::play_on(&topology, &lines, &way);
        prop_assert_eq!(outputs, other_outputs);
        prop_assert_eq!(ledger.counts, other_ledger.counts);
        prop_assert_eq!(ledger.consumed, other_ledger.consumed);
        prop_assert_eq!(tables(&topology, &disk), tables(&topology, &other_disk));
    }
}

/// State without join windows: entries that expired before their commit are not written, which is when they are.
fn tables(topology: &Topology, disk: &support::Disk) -> Vec<String> {
    let is_join = |spec: &StoreSpec| matches!(spec.kind, StoreKind::Window { .. });
    let joins: Vec<usize> = (0..topology.stores.len()).filter(|store| is_join(&topology.stores[*store])).collect();
    let of = |entry: &str| entry.split(['/', ' ']).nth(1).and_then(|store| store.parse().ok());
    disk.dump().into_iter().filter(|entry| !of(entry).is_some_and(|store| joins.contains(&store))).collect()
}

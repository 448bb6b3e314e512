//! Batches and restarts have no effect: for random pipelines and records, with any batch size and commits and restarts
//! anywhere, outputs, counts and state are the same as for one record at a time. With limits of sizes and without, and
//! with a wild shadow and without, and with a canary of the same rules and without.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use millrace_engine::ledger::{Ledger, VersionCounts};
use millrace_engine::topology::{StoreKind, StoreSpec, Topology};
use proptest::prelude::*;
use support::{Limits, Play, topology};

/// A random pipeline: a table and two sources, then steps that read any earlier ones, and a sink for each. Some sinks
/// write to a topic that the pipeline reads, and that has input records too.
fn steps() -> impl Strategy<Value = String> {
    let step = || (0..24usize, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>());
    let layer = |most| prop::collection::vec(step(), 1..most);
    (layer(6), layer(4), 1..4u32).prop_map(|(first, second, partitions)| {
        let mut text = String::new();
        for (table, name) in [("source", "in"), ("source", "other"), ("source", "mid"), ("table", "rows")] {
            text += &format!("[[{table}]]\nname = \"{name}\"\ntopic = \"{name}\"\nvalue = \"bytes\"\n");
            text += &format!("partitions = {partitions}\n");
        }
        // A pipeline must call a plugin, and its tasks also read sources without steps.
        let mut streams = vec!["in".to_owned(), "other".to_owned()];
        text += &step_of(0, "last", "in", "in");
        for name in ["last", "in", "other", "mid"] {
            text += &format!("[[sink]]\nfrom = \"{name}\"\ntopic = \"all\"\n");
        }
        let split = first.len();
        for (number, (kind, a, b, to_mid)) in first.into_iter().chain(second).enumerate() {
            if number == split {
                // The following steps may read this topic, so none of them may write it.
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

/// Windows of joins in which one side's record may be later, and late.
const OUTER: &str = "kind = \"outer\"\nbefore = \"0ms\"\nafter = \"7ms\"\ngrace = \"3ms\"";

fn step_of(kind: usize, name: &str, a: &str, b: &str) -> String {
    let one =
        |table: &str, call: &str| format!("[[{table}]]\nname = \"{name}\"\nfrom = \"{a}\"\ncall = \"t.{call}\"\n");
    let table = |from: &str| format!("[[table]]\nname = \"{name}-rows\"\nfrom = \"{from}\"\n");
    let upper = |from: &str| format!("[[transform]]\nname = \"{name}\"\nfrom = \"{from}\"\ncall = \"t.upper\"\n");
    let windowed = |window: &str, emit: &str| {
        // Behind a merge, rows of a table are records of a stream, which windows require.
        let merge = format!("[[merge]]\nname = \"{name}-in\"\nfrom = [\"{a}\"]\n");
        let settings = format!("window = {{ {window} }}\ngrace = \"3ms\"\nemit = \"{emit}\"\n");
        let from = format!("[[aggregate]]\nname = \"{name}\"\nfrom = \"{name}-in\"\ncall = \"t.append\"\n");
        merge + &from + &settings
    };
    // Limits the number of steps in a row that make many outputs of each record.
    let of_source = ["in", "other"].contains(&a);
    match kind {
        0 => one("transform", "upper"),
        1 => one("transform", "twice"),
        2 => one("transform", "rekey"),
        3 => one("aggregate", "append"),
        4 => one("process", "number"),
        16 => one("process", "alarm"),
        17 => format!(
            "[[dedup]]\nname = \"{name}\"\nfrom = \"{a}\"\nby = [\"field:id\"]\nwithin = \"9ms\"\n
             [[sink]]\nfrom = \"{name}.late\"\ntopic = \"late-{name}\"\n"
        ),
        5 => format!("[[lookup]]\nname = \"{name}\"\nstream = \"{a}\"\ntable = \"rows\"\ncall = \"t.cat\"\n"),
        6..9 if a != b => {
            let settings = ["within = \"5ms\"", "kind = \"left\"\nwithin = \"5ms\"", OUTER][kind - 6];
            format!("[[join]]\nname = \"{name}\"\nleft = \"{a}\"\nright = \"{b}\"\n{settings}\ncall = \"t.cat\"\n")
        }
        9 => {
            format!(
                "[[lookup]]\nname = \"{name}\"\nstream = \"{a}\"\ntable = \"rows\"\nkind = \"left\"\ncall = \"t.cat\"\n"
            )
        }
        10 => format!("{}{}", table(a), upper(&format!("{name}-rows"))),
        11..14 => {
            let kind = ["inner", "left", "outer"][kind - 11];
            let (rows, both, kept) = (format!("{name}-rows"), format!("{name}-both"), format!("{name}-kept"));
            format!(
                "{}[[table-join]]\nname = \"{both}\"\nleft = \"rows\"\nright = \"{rows}\"\nkind = \"{kind}\"\n\
                 call = \"t.cat\"\n[[table]]\nname = \"{kept}\"\nfrom = \"{both}\"\n{}",
                table(a),
                upper(&kept)
            )
        }
        14 => format!("{}[[aggregate]]\nname = \"{name}\"\nfrom = \"{name}-rows\"\ncall = \"t.append\"\n", table(a)),
        15 => {
            let new = format!("{name}-new");
            format!(
                "{}[[transform]]\nname = \"{new}\"\nfrom = \"{name}-rows\"\ncall = \"t.rekey\"\n\
                 [[sink]]\nfrom = \"{new}\"\ntopic = \"all\"\n\
                 [[aggregate]]\nname = \"{name}\"\nfrom = \"{new}\"\ncall = \"t.append\"\n",
                table(a)
            )
        }
        18 => windowed("tumbling = \"10ms\"", "each"),
        19 => windowed("hopping = \"20ms\", every = \"7ms\"", "final"),
        20 => windowed("session = \"4ms\"", if of_source { "each" } else { "final" }),
        21 => windowed("sliding = \"6ms\"", if of_source { "each" } else { "final" }),
        _ if a != b => format!("[[merge]]\nname = \"{name}\"\nfrom = [\"{a}\", \"{b}\"]\n"),
        _ => one("process", "keys"),
    }
}

const IDS: [&str; 3] = ["{\"id\":1}", "{\"id\":\"1\"}", "{\"id\":2,\"x\":0}"];

fn record() -> impl Strategy<Value = String> {
    let topic = prop::sample::select(vec!["in", "in", "other", "mid", "rows", "tick"]);
    let key = prop::sample::select(vec!["a", "b", "c", "-"]);
    let values = vec!["x", "yy", "bz", "c1", "-", "clear", "fail", "skip", "trap", "retry", IDS[0], IDS[1], IDS[2]];
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
        pass_bytes in prop::sample::select(vec![1usize, 700, 3_000, usize::MAX]),
        restart_between in any::<bool>(),
        record_outputs in prop::sample::select(vec![1u64, 5, u64::MAX]),
        (shadow, canary) in (any::<bool>(), any::<bool>()),
    ) {
        let limits = Limits { record_bytes, state_bytes, record_outputs };
        let topology = topology(&steps);
        let lines: Vec<&str> = records.iter().map(String::as_str).collect();
        let (outputs, ledger, disk) = support::play_on(&topology, &lines, &Play { limits, ..Play::PLAIN });
        let way =
            Play { batch, commit_every, restart: true, window_memory, pass_bytes, restart_between, limits, shadow, canary };
        let (other_outputs, other_ledger, other_disk) = support::play_on(&topology, &lines, &way);
        prop_assert_eq!(outputs, other_outputs);
        prop_assert!(ledger.counts().eq(other_ledger.counts()));
        prop_assert_eq!(ledger.consumed, other_ledger.consumed);
        prop_assert_eq!(results(&ledger), results(&other_ledger));
        prop_assert_eq!(tables(&topology, &disk), tables(&topology, &other_disk));
    }
}

/// The results of both versions together.
fn results(ledger: &Ledger) -> VersionCounts {
    let mut all = VersionCounts::default();
    ledger.versions.values().flat_map(|functions| functions.values()).for_each(|counts| all.add(counts));
    all
}

/// State without live records of joins: which of those are written depends on commits, because entries that expire before
/// a commit are never written. Unmatched records are compared; their keys begin with a part of their own.
fn tables(topology: &Topology, disk: &support::Disk) -> Vec<String> {
    let is_join = |spec: &StoreSpec| matches!(spec.kind, StoreKind::WindowRecords { .. });
    let joins: Vec<usize> = (0..topology.stores.len()).filter(|store| is_join(&topology.stores[*store])).collect();
    let of = |entry: &str| entry.split(['/', ' ']).nth(1).and_then(|store| store.parse().ok());
    let of_side = |entry: &String| ["b\"\\0\\0\\0\\0", "b\"\\x01\\0\\0\\0"].iter().any(|start| entry.contains(start));
    let is_side = |entry: &String| of(entry).is_some_and(|store| joins.contains(&store)) && of_side(entry);
    // Which versions have processed the records is noted there, too.
    let is_deployment = |entry: &String| entry.contains("b\"deployment/");
    disk.dump().into_iter().filter(|entry| !is_side(entry) && !is_deployment(entry)).collect()
}

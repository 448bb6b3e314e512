use std::time::Duration;

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Outcome, Record};

/// Writes down what it is told, then perhaps fails.
#[process(on_timer = ring, codes("told-to"))]
fn note(
    key: Key<String>,
    text: &str,
    notes: Store<(String, u64), String>,
    sizes: Store<String, u64>,
    timers: Timers,
) -> Result<u64> {
    let n = sizes.get(&key)?.unwrap_or(0);
    notes.put(&(key.0.clone(), n), &text.to_owned())?;
    sizes.put(&key, &(n + 1))?;
    match text.split_once(' ') {
        Some(("ring", seconds)) => {
            timers.set_after("bell", Duration::from_secs(seconds.parse()?), Clock::Stream);
        }
        Some(("quiet", _)) => timers.cancel("bell", Clock::Stream),
        Some(("fail", why)) => return Err(Error::permanent("told-to", why)),
        _ => {}
    }
    Ok(n + 1)
}

/// Reads out all notes of the key.
#[on_timer]
fn ring(key: Key<String>, timer: Timer, notes: Store<(String, u64), String>) -> Result<String> {
    let notes: Vec<String> = notes.prefix(&key.0).map(|entry| Ok(entry?.1)).collect::<Result<_>>()?;
    Ok(format!("{} at {}: {}", timer.name, timer.time, notes.join(", ")))
}

/// Goes over all of its store.
#[process]
fn order(key: Key<i64>, seen: Store<i64, bool>) -> Result<Vec<i64>> {
    seen.put(&key, &true)?;
    seen.range(None, None).map(|entry| Ok(entry?.0)).collect()
}

plugin! { name: "notes", functions: [note, order] }

#[test]
fn writes_are_kept_for_the_next_record_and_undone_when_the_record_fails() {
    let mut bench = Bench::new(&PLUGIN);
    assert_eq!(bench.process("note", &Record::new("a", "one")).texts(), ["1"]);
    assert_eq!(bench.process("note", &Record::new("a", "fail badly")).failure(), "told-to: badly");
    assert_eq!(bench.process("note", &Record::new("a", "two")).texts(), ["2"]);
    assert_eq!(bench.stored::<String, u64>("note", "sizes", &"a".into()), Some(2));
    assert_eq!(bench.stored::<String, u64>("note", "sizes", &"b".into()), None);
}

#[test]
fn timers_fire_in_the_order_of_their_times_and_not_before() {
    let mut bench = Bench::new(&PLUGIN);
    for (key, text) in [("a", "ring 20"), ("b", "ring 10"), ("c", "ring 5"), ("c", "quiet now"), ("ab", "x")] {
        bench.process("note", &Record::new(key, text).at(1_000));
    }
    let texts = |outcomes: Vec<Outcome>| outcomes.iter().flat_map(Outcome::texts).collect::<Vec<_>>();
    assert_eq!(texts(bench.advance("note", Clock::Stream, 10_999)), [""; 0]);
    assert_eq!(
        texts(bench.advance("note", Clock::Stream, 60_000)),
        ["bell at 11000: ring 10", "bell at 21000: ring 20"]
    );
    assert_eq!(texts(bench.advance("note", Clock::Stream, 90_000)), [""; 0]);
}

#[test]
fn ranges_have_the_order_of_numbers() {
    let mut bench = Bench::new(&PLUGIN);
    for key in [5, -1, i64::MIN, i64::MAX] {
        bench.process("order", &Record::new(key, ""));
    }
    let all = bench.process("order", &Record::new(0_i64, "")).texts();
    assert_eq!(all, [i64::MIN, -1, 0, 5, i64::MAX].map(|n| n.to_string()));
}

#[test]
fn what_is_longer_than_a_page_is_read_whole() {
    let mut bench = Bench::new(&PLUGIN);
    let long = "x".repeat(10_000);
    for _ in 0..20 {
        bench.process("note", &Record::new("a", long.as_str()));
    }
    bench.process("note", &Record::new("a", "ring 1"));
    let read = bench.advance("note", Clock::Stream, 1_000)[0].texts().concat();
    assert_eq!(read, format!("bell at 1000: {}ring 1", format!("{long}, ").repeat(20)));
}

#[test]
fn the_manifest_has_the_stores_under_the_names_of_the_arguments() {
    let manifest = Bench::new(&PLUGIN).manifest();
    let stores = |index: usize| manifest.functions[index].stores.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    assert_eq!((stores(0), stores(1)), (vec!["notes".into(), "sizes".into()], vec!["seen".to_owned()]));
    assert_eq!((manifest.functions[0].timers, manifest.functions[1].timers), (true, false));
}

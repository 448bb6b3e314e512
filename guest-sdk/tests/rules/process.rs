use std::time::Duration;

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Outcome, Record};

/// Stores the value as a note, then perhaps fails.
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

/// Puts out all notes of the key.
#[on_timer]
fn ring(key: Key<String>, timer: Timer, notes: Store<(String, u64), String>) -> Result<String> {
    let notes: Vec<String> = notes.prefix(&key.0).map(|entry| Ok(entry?.1)).collect::<Result<_>>()?;
    Ok(format!("{} at {}: {}", timer.name, timer.time, notes.join(", ")))
}

/// Puts out all of its store.
#[process]
fn order(key: Key<i64>, seen: Store<i64, bool>) -> Result<Vec<i64>> {
    seen.put(&key, &true)?;
    seen.range(None, None).map(|entry| Ok(entry?.0)).collect()
}

/// Sets or cancels timers as the value says: a clock, an action, and a time.
#[process(on_timer = rung, codes("told-to"))]
fn alarm(text: &str, timers: Timers) -> Result<()> {
    for command in text.split(';') {
        let words: Vec<&str> = command.split_whitespace().collect();
        let clock = |name| if name == "wall" { Clock::Wall } else { Clock::Stream };
        match *words {
            ["at", of, time, name] => timers.set_at(name, time.parse()?, clock(of)),
            ["after", of, time, name] => timers.set_after(name, Duration::from_millis(time.parse()?), clock(of)),
            ["cancel", of, name] => timers.cancel(name, clock(of)),
            _ => return Err(Error::permanent("told-to", command)),
        }
    }
    Ok(())
}

/// Puts out the timer. `again` sets itself again for the same time, `stop` cancels `late`, `fail` fails.
#[on_timer]
fn rung(timer: Timer, timers: Timers, ctx: Ctx) -> Result<String> {
    match &*timer.name {
        "again" => timers.set_at("again", timer.time, timer.clock),
        "stop" => timers.cancel("late", timer.clock),
        "fail" => {
            timers.set_after("undone", Duration::ZERO, timer.clock);
            return Err(Error::permanent("told-to", "fail"));
        }
        _ => {}
    }
    Ok(format!("{} {}", timer.name, ctx.timestamp()))
}

/// Puts the record's key into a store, and then reads a part of the store: from and to a pair, or all of a first part.
#[process]
fn part(key: Key<String>, bounds: &str, pairs: Store<(String, i64), bool>) -> Result<String> {
    let pair = |text: &str| -> Result<(String, i64)> {
        let (first, second) = text.split_once('/').ok_or_else(|| Error::bad_value("no pair"))?;
        Ok((first.to_owned(), second.parse()?))
    };
    pairs.put(&pair(&key)?, &true)?;
    let entries = match bounds.split_once(' ') {
        Some((from, to)) => pairs.range(Some(&pair(from)?), Some(&pair(to)?)),
        None => pairs.prefix(&bounds.to_owned()),
    };
    let found = entries.map(|entry| entry.map(|((first, second), _)| format!("{first}/{second}")));
    Ok(found.collect::<Result<Vec<_>>>()?.join(" "))
}

plugin! { name: "notes", functions: [note, order, alarm, part] }

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

fn rung_texts(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().filter(|outcome| outcome.is_good()).flat_map(Outcome::texts).collect()
}

#[test]
fn timers_of_either_clock_fire_when_that_clock_moves() {
    let mut bench = Bench::new(&PLUGIN);
    bench.advance("alarm", Clock::Wall, 5_000);
    let text = "after stream 10 event; after wall 10 real; at wall 5005 soon";
    bench.process("alarm", &Record::new("k", text).at(100));
    assert_eq!(bench.timer("alarm", "k", "event", Clock::Stream), Some(110));
    assert_eq!(bench.timer("alarm", "k", "real", Clock::Wall), Some(5_010));
    let wall = bench.advance("alarm", Clock::Wall, 6_000);
    assert_eq!(rung_texts(&wall), ["soon 5005", "real 5010"]);
    let Outcome::Outputs(outputs) = &wall[0] else { panic!("it failed") };
    assert_eq!(outputs[0].timestamp, 100, "what a timer of the wall clock puts out has the stream time");
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Stream, 109)), [""; 0]);
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Stream, 110)), ["event 110"]);
}

#[test]
fn of_timers_for_one_time_the_lower_key_fires_first_then_the_lower_name() {
    let mut bench = Bench::new(&PLUGIN);
    for (key, names) in [("b", ["1", "2"]), ("a", ["4", "3"])] {
        for name in names {
            bench.process("alarm", &Record::new(key, format!("at stream 9 {name}")));
        }
    }
    bench.process("alarm", &Record::new("", "at stream 9 5").null_key());
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Stream, 9)), ["5 9", "3 9", "4 9", "1 9", "2 9"]);
}

#[test]
fn what_a_timer_sets_waits_for_the_next_time_and_what_it_takes_back_does_not_fire() {
    let mut bench = Bench::new(&PLUGIN);
    bench.process("alarm", &Record::new("k", "at stream 5 again; at stream 6 stop; at stream 7 late; at wall 5 again"));
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Stream, 20)), ["again 5", "stop 6"]);
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Stream, 0)), ["again 5"]);
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Wall, 20)), ["again 5"]);
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Wall, 20)), [""; 0]);
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Wall, 21)), ["again 21"]);
}

#[test]
fn a_timer_that_fails_is_gone_and_what_it_set_is_undone() {
    let mut bench = Bench::new(&PLUGIN);
    bench.process("alarm", &Record::new("k", "at stream 5 fail"));
    assert_eq!(bench.advance("alarm", Clock::Stream, 5)[0].failure(), "told-to: fail");
    assert!(bench.advance("alarm", Clock::Stream, 1_000).is_empty());
}

#[test]
fn timers_that_a_record_sets_before_it_fails_are_undone_and_those_it_cancels_stay() {
    let mut bench = Bench::new(&PLUGIN);
    bench.process("alarm", &Record::new("k", "at stream 5 kept"));
    bench.process("alarm", &Record::new("k", "cancel stream kept; at stream 6 new; fail"));
    assert_eq!(rung_texts(&bench.advance("alarm", Clock::Stream, 9)), ["kept 5"]);
}

#[test]
fn records_one_after_another_are_followed_by_the_timers_that_they_make_due() {
    let records = [(1, "at stream 5 a; at stream 9 b"), (6, "at stream 3 past"), (4, "at wall 1 never")];
    let records = records.map(|(time, text)| Record::new("k", text).at(time));
    let outcomes = Bench::new(&PLUGIN).process_all("alarm", &records);
    let texts: Vec<_> = outcomes.iter().map(|outcome| outcome.texts().concat()).collect();
    assert_eq!(texts, ["", "", "past 3", "a 5", ""]);
}

#[test]
#[should_panic(expected = "the name of a timer has 256 bytes; it has at most 255")]
fn the_name_of_a_timer_is_no_longer_than_the_host_takes() {
    let text = |length| format!("at stream 5 {}", "x".repeat(length));
    assert!(Bench::new(&PLUGIN).process("alarm", &Record::new("k", text(255))).is_good());
    Bench::new(&PLUGIN).process("alarm", &Record::new("k", text(256)));
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
fn a_range_begins_with_its_start_and_ends_before_its_end_and_a_prefix_is_a_whole_part() {
    let mut bench = Bench::new(&PLUGIN);
    for key in ["a/1", "a/-2", "ab/0", "b/7", "b/5"] {
        bench.process("part", &Record::new(key, ""));
    }
    let mut read = |bounds| bench.process("part", &Record::new("c/0", bounds)).texts().concat();
    assert_eq!(read("a/1 b/7"), "a/1 ab/0 b/5");
    assert_eq!(read("b/0 a/0"), "");
    assert_eq!(read("a"), "a/-2 a/1");
    assert_eq!(read("b"), "b/5 b/7");
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

//! What the golden cases rely on.

use golden::PLUGIN;
use millrace_sdk::Clock;
use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Pair, Record};

#[test]
fn a_join_shows_both_sides_and_which_is_missing() {
    let record = |value: &str| Record::new("k", value);
    let pairs = [
        Pair::new(record("1"), record("2")),
        Pair::left_only(record("1")),
        Pair::right_only(record("2")),
        Pair::new(record("1").null_value(), record("")),
    ];
    let outcomes = Bench::new(&PLUGIN).join("join", &pairs);
    let texts: Vec<String> = outcomes.iter().flat_map(|outcome| outcome.texts()).collect();
    assert_eq!(texts, ["1+2", "1+~", "~+2", "~+"]);
}

#[test]
fn an_aggregate_shows_what_was_added_taken_back_and_merged() {
    let mut group = Group::new("k", ["1", "2"].map(|value| Record::new("k", value)));
    group.entries.push((true, Record::new("k", "1")));
    group.entries.push((false, Record::new("k", "").null_value()));
    let groups = [group.clone(), group.absorb(1, r#"",a""#).absorb(1, r#"",b""#)];
    let results = Bench::new(&PLUGIN).aggregate("append", &groups, Mode::Last);
    let values: Vec<_> = results.iter().filter_map(|result| result.value.as_deref()).collect();
    assert_eq!(values, [&b",1,2,-1,null"[..], b"|,a|,b,1,2,-1,null"]);
}

#[test]
fn timers_say_when_and_how_often_they_have_fired() {
    let mut bench = Bench::new(&PLUGIN);
    let record = |value: &str| Record::new("k", value).at(100);
    bench.process("timers", &record("after stream 5 a; at wall 7 every-10; at stream 200 b; cancel stream b"));
    let mut fired =
        |clock, time| bench.advance("timers", clock, time).iter().flat_map(|o| o.texts()).collect::<Vec<_>>();
    assert_eq!(fired(Clock::Stream, 300), ["a stream 105 1"]);
    assert_eq!(fired(Clock::Wall, 10), ["every-10 wall 7 1"]);
    assert_eq!(fired(Clock::Wall, 20), ["every-10 wall 17 2"]);
    bench.process("timers", &record("forget every-10"));
    let texts: Vec<_> = bench.advance("timers", Clock::Wall, 27).iter().flat_map(|o| o.texts()).collect();
    assert_eq!(texts, ["every-10 wall 27 1"]);
    assert!(bench.process("timers", &record("at noon 1 a")).failure().contains("not a clock"));
    assert!(bench.process("timers", &record("dance")).failure().contains("not a command"));
}

#[test]
fn records_pass_or_get_the_first_character_of_their_value_as_key() {
    let mut bench = Bench::new(&PLUGIN);
    let record = [Record::new("k", "éa"), Record::new("k", "")];
    let mut keys = |function| {
        let outcomes = bench.transform(function, &record).into_iter();
        let puts = outcomes.flat_map(|outcome| match outcome {
            Outcome::Outputs(puts) => puts,
            _ => Vec::new(),
        });
        puts.map(|put| put.key.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(keys("rekey"), ["é".as_bytes(), b""]);
    assert_eq!(keys("pass"), [b"k", b"k"]);
}

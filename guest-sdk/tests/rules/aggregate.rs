use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Group, Grouped, Mode, Outcome, Record};

/// A sum that changes its state before it rejects a record.
struct Sum;

#[aggregate(codes("too-large", "zero", "odd"))]
impl Aggregate for Sum {
    type Key = String;
    type Input = f64;
    type State = Total;
    type Output = Option<f64>;

    fn init(_key: &String) -> Total {
        Total::default()
    }

    fn add(total: &mut Total, key: &String, n: f64, ctx: &Ctx) -> Result<()> {
        total.sum += n;
        total.count += 1;
        ctx.count("adds", 1);
        if n == 0.0 {
            return Err(Error::skip("zero"));
        }
        if n < 0.0 {
            return Err(Error::bad_value(format!("{key}: {n} is below 0")));
        }
        Ok(())
    }

    fn subtract(total: &mut Total, _key: &String, n: f64, _ctx: &Ctx) -> Result<()> {
        total.sum -= n;
        total.count -= 1;
        Ok(())
    }

    fn merge(earlier: Total, later: Total, key: &String) -> Result<Total> {
        if later.count < 0 {
            return Err(Error::transient("odd", format!("{key}: a count below 0")));
        }
        Ok(Total { sum: earlier.sum + later.sum, count: earlier.count + later.count })
    }

    fn result(total: &Total, _key: &String, _ctx: &Ctx) -> Result<Option<f64>> {
        if (1e6..1e300).contains(&total.sum) {
            return Err(Error::permanent("too-large", "over a million"));
        }
        Ok((total.count > 1).then_some(total.sum))
    }

    fn keep(total: &Total) -> bool {
        total.count > 0
    }
}

#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Total {
    sum: f64,
    count: i64,
}

impl State for Total {
    const VERSION: u32 = 3;
    const READS: &[u32] = &[2];

    fn upgrade(version: u32, bytes: &[u8]) -> Result<Self> {
        match version {
            2 => Ok(Self { sum: serde_json::from_slice(bytes)?, count: 1 }),
            _ => Err(no_upgrade(version)),
        }
    }
}

/// The values of a key as text, the newest first; it can neither subtract nor merge.
struct Texts;

#[aggregate]
impl Aggregate for Texts {
    type Key = Vec<u8>;
    type Input = Option<String>;
    type State = String;
    type Output = Option<String>;

    fn init(_key: &Vec<u8>) -> String {
        String::new()
    }

    fn add(all: &mut String, _key: &Vec<u8>, value: Option<String>, _ctx: &Ctx) -> Result<()> {
        *all = format!("{} {all}", value.as_deref().unwrap_or("nothing"));
        Ok(())
    }

    fn result(all: &String, _key: &Vec<u8>, _ctx: &Ctx) -> Result<Option<String>> {
        Ok((!all.starts_with("hide")).then(|| all.clone()))
    }
}

/// The last order that wasn't null, unchanged.
struct Latest;

#[aggregate]
impl Aggregate for Latest {
    type Key = i64;
    type Input = Option<Doc>;
    type State = String;
    type Output = Vec<u8>;

    fn init(_key: &i64) -> String {
        String::new()
    }

    fn add(latest: &mut String, _key: &i64, order: Option<Doc>, _ctx: &Ctx) -> Result<()> {
        if let Some(order) = order {
            *latest = order.str("id")?.into_owned();
        }
        Ok(())
    }

    fn result(latest: &String, _key: &i64, _ctx: &Ctx) -> Result<Vec<u8>> {
        Ok(latest.clone().into_bytes())
    }
}

plugin! { name: "sums", functions: [Sum, Texts, Latest] }

fn group(values: &str) -> Group {
    Group::new("k", values.split_whitespace().map(|value| Record::new("k", value)))
}

fn run(group: Group, mode: Mode) -> Grouped {
    Bench::new(&PLUGIN).aggregate("sum", &[group], mode).remove(0)
}

/// The outcomes of a group in mode `each` and its state, as text.
fn each(group: Group) -> (Vec<String>, String) {
    let grouped = run(group, Mode::Each);
    let outcomes = grouped.outcomes.iter().map(|outcome| match outcome {
        outcome if outcome.is_good() => outcome.texts().join(","),
        other => format!("{other:?}").split_whitespace().next().unwrap().to_owned(),
    });
    (outcomes.collect(), state(&grouped))
}

fn state(grouped: &Grouped) -> String {
    let state = grouped.state.as_ref();
    state.map_or("none".into(), |(version, bytes)| format!("{version} {}", String::from_utf8_lossy(bytes)))
}

#[test]
fn in_mode_each_every_record_puts_out_the_result_so_far() {
    let (outcomes, state) = each(group("1 2 3"));
    assert_eq!(outcomes, ["null", "3.0", "6.0"]);
    assert_eq!(state, r#"3 {"sum":6.0,"count":3}"#);
}

#[test]
fn in_mode_last_only_the_group_has_a_result() {
    let grouped = run(group("1 2 3"), Mode::Last);
    assert_eq!(grouped.value.as_deref(), Some(&b"6.0"[..]));
    assert!(grouped.outcomes.iter().all(|outcome| outcome.texts().is_empty()));
}

#[test]
fn a_record_that_fails_or_is_skipped_leaves_the_state_as_if_it_had_not_come() {
    let (outcomes, state) = each(group("1 -5 2 0 x 3 -1"));
    assert_eq!(outcomes, ["null", "Fail", "3.0", "Skip(\"zero\")", "Fail", "6.0", "Fail"]);
    assert_eq!(state, r#"3 {"sum":6.0,"count":3}"#);
    assert_eq!(run(group("-1"), Mode::Each).state, None);
}

#[test]
fn a_record_that_is_gone_over_again_counts_once() {
    let mut bench = Bench::new(&PLUGIN);
    bench.aggregate("sum", &[group("1 2 -5 3 -5")], Mode::Each);
    assert_eq!(bench.count("adds"), 5);
}

#[test]
fn a_record_whose_result_fails_is_the_one_that_fails_in_both_modes() {
    for mode in [Mode::Each, Mode::Last] {
        let grouped = run(group("1 2000000 2"), mode);
        assert_eq!(grouped.outcomes[1].failure(), "too-large: over a million");
        assert_eq!(state(&grouped), r#"3 {"sum":3.0,"count":2}"#);
    }
}

#[test]
fn a_state_that_json_can_not_hold_is_the_failure_of_the_record_that_made_it() {
    for mode in [Mode::Each, Mode::Last] {
        let grouped = run(group("1 1.7e308 1.7e308 2").state(3, r#"{"sum":1.7e308,"count":1}"#), mode);
        let good: Vec<_> = grouped.outcomes.iter().map(Outcome::is_good).collect();
        assert_eq!(good, [true, false, false, true], "{mode:?}");
        assert!(grouped.outcomes[1].failure().starts_with("bad-state: state: invalid type: null"));
        assert_eq!(state(&grouped), r#"3 {"sum":1.7e+308,"count":3}"#);
    }
    let (outcomes, _) = each(group("5").state(3, r#"{"sum":1.0,"count":1}"#));
    assert_eq!(outcomes, ["6.0"]);
}

#[test]
fn any_split_of_a_group_gives_the_same_state_and_outcomes() {
    let values = "0.1 0.2 -1 0.7 x 1e-9 0 3.3 2000000 0.30000000000000004";
    let (whole, state_of_whole) = each(group(values));
    let mut outcomes = Vec::new();
    let mut state: Option<(u32, Vec<u8>)> = None;
    for value in values.split(' ') {
        let grouped = run(Group { state, ..group(value) }, Mode::Each);
        outcomes.extend(grouped.outcomes.iter().map(|outcome| match outcome {
            outcome if outcome.is_good() => outcome.texts().join(","),
            other => format!("{other:?}").split_whitespace().next().unwrap().to_owned(),
        }));
        state = grouped.state;
    }
    let (version, bytes) = state.unwrap();
    assert_eq!((outcomes, format!("{version} {}", String::from_utf8_lossy(&bytes))), (whole, state_of_whole));
}

#[test]
fn states_of_older_versions_are_upgraded_and_of_unknown_ones_refused() {
    assert_eq!(each(group("1").state(2, "10")).1, r#"3 {"sum":11.0,"count":2}"#);
    let grouped = run(group("1 2").state(9, "?"), Mode::Each);
    let text = "bad-state: state is of version 9, which this plugin can't read";
    assert_eq!(grouped.outcomes.iter().map(|outcome| outcome.failure()).collect::<Vec<_>>(), [text, text]);
    assert_eq!(state(&grouped), "9 ?");
}

#[test]
#[should_panic(expected = "`sum` has no result for a state that it has: over a million")]
fn a_state_without_a_result_traps_where_no_record_is_to_blame() {
    run(group("").state(3, r#"{"sum":2000000.0,"count":1}"#), Mode::Last);
}

#[test]
fn what_is_taken_back_is_subtracted_and_an_empty_state_deleted() {
    let mut back = group("4 4");
    back.entries[1].0 = true;
    assert_eq!(each(back).1, "none");
}

#[test]
fn after_a_state_that_is_not_kept_the_next_record_of_the_group_begins_anew() {
    // The rest of the sum, -1, was deleted with the state; a record that fails in between changes nothing.
    let mut group = group("3 4 -7 5 6");
    group.entries[1].0 = true;
    let (outcomes, state) = each(group);
    assert_eq!(outcomes, ["null", "null", "Fail", "null", "11.0"]);
    assert_eq!(state, r#"3 {"sum":11.0,"count":2}"#);

    let mut gone = self::group("3 4 -7");
    gone.entries[1].0 = true;
    assert_eq!(each(gone).1, "none");
}

#[test]
fn what_is_taken_back_from_a_key_without_a_state_is_given_to_the_rule_with_a_new_one() {
    let (outcomes, state) = each(with_backs(&["~4", "5", "7"]));
    assert_eq!(outcomes, ["null", "null", "12.0"]);
    assert_eq!(state, r#"3 {"sum":12.0,"count":2}"#);
}

/// A group of values; values with `~` before them are taken back.
fn with_backs(values: &[&str]) -> Group {
    let entry = |value: &&str| (value.starts_with('~'), Record::new("k", value.trim_start_matches('~')));
    Group { entries: values.iter().map(entry).collect(), ..group("") }
}

#[test]
fn the_host_is_told_after_which_processed_records_the_state_was_gone() {
    // 2000000 fails only for its result: in mode `last` a second attempt at the group finds it.
    for values in ["3 ~4 -7 5 ~5 0 x 6 7", "3 ~4 -7 5 ~5 2000000 x 6 7"] {
        let values: Vec<&str> = values.split(' ').collect();
        for mode in [Mode::Each, Mode::Last] {
            let grouped = run(with_backs(&values), mode);
            assert_eq!(
                (&*grouped.deleted, &*state(&grouped)),
                (&[1, 4][..], r#"3 {"sum":13.0,"count":2}"#),
                "{mode:?}"
            );
            let gone = run(with_backs(&values[..7]), mode);
            assert_eq!((&*gone.deleted, &*state(&gone)), (&[1, 4][..], "none"), "{mode:?}");
        }
    }
    let groups = [with_backs(&["1", "~1"]), with_backs(&["2"]), with_backs(&["3", "~3", "4", "~4"])];
    let results = Bench::new(&PLUGIN).aggregate("sum", &groups, Mode::Each);
    let deleted: Vec<_> = results.into_iter().map(|grouped| grouped.deleted).collect();
    assert_eq!(deleted, [vec![1], vec![], vec![1, 3]]);
}

#[test]
fn any_split_of_a_group_whose_state_is_deleted_gives_the_same() {
    let values = ["3", "~4", "-7", "5", "x", "~5", "0", "2000000", "~1", "6", "1", "~2000000", "~1", "~9", "8"];
    let whole = run(with_backs(&values), Mode::Each);
    for size in 1..values.len() {
        let mut all = Grouped { state: None, value: None, outcomes: Vec::new(), deleted: Vec::new() };
        for part in values.chunks(size) {
            let next = run(Group { state: all.state.take(), ..with_backs(part) }, Mode::Each);
            let first = all.outcomes.len();
            all.deleted.extend(next.deleted.into_iter().map(|index| first + index));
            all.outcomes.extend(next.outcomes);
            all.state = next.state;
        }
        assert_eq!(all, whole, "parts of {size}");
    }
}

#[test]
fn a_state_that_is_not_kept_need_not_be_one_that_can_be_written() {
    // The sum is infinite after the third, which deletes it; the last fails for its result, if the host wants one.
    let grouped = run(with_backs(&["1.7e308", "~-1.7e308", "2000000", "3"]), Mode::Last);
    let good: Vec<_> = grouped.outcomes.iter().map(Outcome::is_good).collect();
    assert_eq!((good, grouped.deleted), (vec![true, true, false, true], vec![1]));
}

#[test]
fn sessions_that_meet_are_merged_before_their_records_are_added() {
    let sessions = |values| group(values).absorb(2, "1.5").absorb(3, r#"{"sum":2.0,"count":2}"#);
    assert_eq!(each(sessions("1")), (vec!["4.5".into()], r#"3 {"sum":4.5,"count":4}"#.into()));
    let merged = run(sessions(""), Mode::Last);
    assert_eq!((state(&merged), merged.value), (r#"3 {"sum":3.5,"count":3}"#.into(), Some(b"3.5".to_vec())));
}

#[test]
fn a_record_that_fails_leaves_merged_sessions_as_they_were_before_it() {
    let sessions = |values| group(values).absorb(2, "1").absorb(2, "2");
    let (outcomes, state) = each(sessions("-1 3 -1 4"));
    assert_eq!(outcomes, ["Fail", "6.0", "Fail", "10.0"]);
    assert_eq!(state, r#"3 {"sum":10.0,"count":4}"#);
    assert_eq!(each(sessions("-1")).1, r#"3 {"sum":3.0,"count":2}"#);
}

#[test]
fn after_merged_sessions_that_are_not_kept_the_next_record_begins_anew() {
    let mut group = group("1 4").absorb(2, "1");
    group.entries[0].0 = true;
    let grouped = run(group, Mode::Each);
    assert_eq!((&*grouped.deleted, &*state(&grouped)), (&[0][..], r#"3 {"sum":4.0,"count":1}"#));
}

#[test]
fn a_merge_that_fails_fails_every_record_of_its_group_and_no_other() {
    for mode in [Mode::Each, Mode::Last] {
        let bad = [group("1 2").absorb(2, "1").absorb(3, r#"{"sum":0.0,"count":-1}"#), group("1").absorb(2, "x")];
        let groups = [group("7"), bad[0].clone(), bad[1].clone(), group("8")];
        let [first, odd, unreadable, last] = Bench::new(&PLUGIN).aggregate("sum", &groups, mode).try_into().unwrap();
        assert!(odd.outcomes.iter().all(|outcome| outcome.failure() == "odd: k: a count below 0"));
        assert!(unreadable.outcomes[0].failure().starts_with("bad-value: expected value"));
        assert_eq!((odd.outcomes.len(), &odd.state, &unreadable.state), (2, &None, &None));
        assert!(first.outcomes[0].is_good() && last.outcomes[0].is_good());
    }
}

#[test]
fn a_group_without_records_tells_the_value_of_its_state_and_leaves_it_as_it_is() {
    let older = run(group("").state(2, " 10 "), Mode::Last);
    assert_eq!((state(&older), older.value), ("2  10 ".into(), None));
    let groups = [group("").state(3, r#"{"sum":5,"count":2}"#), group("1")];
    let [asked, added] = Bench::new(&PLUGIN).aggregate("sum", &groups, Mode::Last).try_into().unwrap();
    assert_eq!((state(&asked), asked.value), (r#"3 {"sum":5,"count":2}"#.into(), Some(b"5.0".to_vec())));
    assert_eq!(added.outcomes.len(), 1);
}

#[test]
fn text_is_taken_and_given_as_it_is_and_null_where_the_type_has_it() {
    let records = ["\"a\"", "", "hide"].map(|value| Record::new("k", value));
    let group = Group::new("k", records.into_iter().chain([Record::new("k", "").null_value()]));
    let grouped = Bench::new(&PLUGIN).aggregate("texts", &[group], Mode::Each).remove(0);
    let texts: Vec<_> = grouped.outcomes.iter().flat_map(Outcome::texts).collect();
    assert_eq!(texts, ["\"a\" ", " \"a\" ", "null", "nothing hide  \"a\" "]);
}

#[test]
fn a_null_document_reaches_an_aggregate_that_takes_it_and_no_other() {
    let records = [Record::new(1_i64, r#"{"id":"x"}"#), Record::new(1_i64, "").null_value()];
    let group = Group::new(1_i64, records);
    let grouped = Bench::new(&PLUGIN).aggregate("latest", &[group], Mode::Each).remove(0);
    assert_eq!(grouped.outcomes.iter().flat_map(Outcome::texts).collect::<Vec<_>>(), ["x", "x"]);
    let null = Group::new("k", [Record::new("k", "").null_value()]);
    assert_eq!(run(null, Mode::Each).outcomes[0].failure(), "null-value: value: null, expected a value");
}

#[test]
fn who_can_neither_subtract_nor_merge_says_so_in_the_manifest_and_in_failures() {
    let functions = Bench::new(&PLUGIN).manifest().functions;
    let can: Vec<_> = functions.iter().map(|function| (function.subtracts, function.merges)).collect();
    assert_eq!(can, [(true, true), (false, false), (false, false)]);
    let mut back = Group::new("k", [Record::new("k", "a")]);
    back.entries[0].0 = true;
    let sessions = Group::new("k", [Record::new("k", "a")]).absorb(1, "\"b\"");
    let results = Bench::new(&PLUGIN).aggregate("texts", &[back, sessions], Mode::Each);
    assert!(results[0].outcomes[0].failure().contains("`subtract` isn't written"));
    assert!(results[1].outcomes[0].failure().contains("`merge` isn't written"));
}

#[test]
fn the_manifest_has_the_one_store_with_its_versions() {
    let manifest = Bench::new(&PLUGIN).manifest();
    let store = &manifest.functions[0].stores[0];
    assert_eq!((&*store.name, &store.reads[..], &store.writes[..]), ("sum", &[2, 3][..], &[3][..]));
}

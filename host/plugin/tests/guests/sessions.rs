//! Aggregates over sessions and tables: states that become one, values that are only asked for, records taken back.

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{
    Attempt, Change, Failure, FailureClass, Fault, Field, Group, Grouped, Mode, Outcome, Stored,
};

use crate::faults::expect;
use crate::golden::{APPEND, golden};
use crate::template::{FIRST, Guest, limits, message};

/// A state of the golden guest: text, which it writes as JSON.
fn state(text: &str) -> Stored {
    Stored { version: 1, bytes: Bytes::from(format!("\"{text}\"")) }
}

/// A group: its state, those that it absorbs, and its entries, where `-` takes a value back.
fn group(own: Option<Stored>, absorbed: &[Stored], entries: &[&'static str]) -> Group<'static> {
    let entry = |text: &&'static str| match text.strip_prefix('-') {
        Some(back) => (Change::Subtract, message(back)),
        None => (Change::Add, message(text)),
    };
    let (absorbed, entries) = (absorbed.to_vec(), entries.iter().map(entry).collect());
    Group { key: b"key", window: None, state: own, absorbed, entries }
}

fn call(groups: &[Group<'_>], mode: Mode, attempt: Attempt) -> Vec<Grouped> {
    golden().aggregate(APPEND, groups, mode, attempt).unwrap().result
}

/// What an outcome put out, as text.
fn text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Outputs(outputs) => outputs.iter().map(|output| field(&output.value)).collect(),
        other => format!("{other:?}"),
    }
}

fn field(value: &Field) -> String {
    match value {
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

const BOTH: [Attempt; 2] = [Attempt::Batch, Attempt::Verdict];

#[test]
fn absorbed_states_are_merged_in_their_order_into_a_new_one_before_the_entries() {
    for attempt in BOTH {
        let group = group(None, &[state(",a"), state(",b,c")], &["d", "e"]);
        let [each] = call(std::slice::from_ref(&group), Mode::Each, attempt).try_into().unwrap();
        assert_eq!(each.state, Some(state("|,a|,b,c,d,e")));
        assert_eq!(each.outcomes.iter().map(text).collect::<Vec<_>>(), ["|,a|,b,c,d", "|,a|,b,c,d,e"]);
        let [last] = call(&[group], Mode::Last, attempt).try_into().unwrap();
        assert_eq!((last.state, last.value), (Some(state("|,a|,b,c,d,e")), Some(Bytes::from_static(b"|,a|,b,c,d,e"))));
    }
}

#[test]
fn each_group_absorbs_its_own_states() {
    let groups = [
        group(Some(state(",x")), &[], &["1"]),
        group(None, &[state(",a"), state(",b")], &["2"]),
        group(None, &[], &["3"]),
        group(None, &[state(",c")], &["4"]),
    ];
    let states = call(&groups, Mode::Each, Attempt::Batch).into_iter().map(|grouped| grouped.state.unwrap());
    assert_eq!(states.collect::<Vec<_>>(), [state(",x,1"), state("|,a|,b,2"), state(",3"), state("|,c,4")]);
}

#[test]
fn a_merge_that_fails_fails_each_entry_of_its_group_and_no_other() {
    let broken = Stored { version: 1, bytes: Bytes::from_static(b"broken") };
    for attempt in BOTH {
        for mode in [Mode::Each, Mode::Last] {
            let groups = [
                group(None, &[], &["1"]),
                group(None, &[state(",a"), broken.clone()], &["2", "3"]),
                group(None, &[state(",b")], &["4"]),
            ];
            let [first, failed, last] = call(&groups, mode, attempt).try_into().unwrap();
            assert_eq!((first.state, last.state), (Some(state(",1")), Some(state("|,b,4"))));
            let failure = Failure {
                class: FailureClass::Permanent,
                code: "bad-state".into(),
                text: "state: expected value at line 1 column 1".into(),
            };
            assert_eq!(failed.outcomes, vec![Outcome::Fail(failure); 2]);
            assert_eq!((failed.state, failed.deleted_after), (None, vec![]));
        }
    }
}

#[test]
fn a_group_without_entries_asks_for_the_value_of_its_state() {
    for attempt in BOTH {
        // Not as the SDK would write it: the state comes back as it was.
        let own = Stored { version: 1, bytes: Bytes::from_static(br#" ",a" "#) };
        let groups = [group(Some(own.clone()), &[], &[]), group(Some(state(",b")), &[], &["c"])];
        let [asked, added] = call(&groups, Mode::Last, attempt).try_into().unwrap();
        assert_eq!((asked.state, asked.value, asked.outcomes), (Some(own), Some(Bytes::from_static(b",a")), vec![]));
        assert_eq!(added.value, Some(Bytes::from_static(b",b,c")));
    }
}

#[test]
fn a_group_that_only_absorbs_states_gives_its_value() {
    let [merged] =
        call(&[group(None, &[state(",a"), state(",b")], &[])], Mode::Last, Attempt::Batch).try_into().unwrap();
    assert_eq!((merged.state, merged.value), (Some(state("|,a|,b")), Some(Bytes::from_static(b"|,a|,b"))));
}

#[test]
fn a_value_that_the_guest_can_not_compute_is_a_fault_with_its_reason() {
    let broken = Stored { version: 1, bytes: Bytes::from_static(b"broken") };
    for attempt in BOTH {
        let called = golden().aggregate(APPEND, &[group(Some(broken.clone()), &[], &[])], Mode::Last, attempt);
        expect(called, Fault::Trap, None, "`append` has no result for a state that it has: state: expected value");
    }
}

#[test]
fn a_guest_that_changes_a_state_when_asked_for_its_value_breaks_the_contract() {
    // It answers with no state for a group without entries.
    let mut guests = Guest::good(&[Role::Aggregate]).deploy(limits());
    let own = Stored { version: 1, bytes: Bytes::from_static(b"state") };
    for attempt in BOTH {
        let called = guests.aggregate(FIRST, &[group(Some(own.clone()), &[], &[])], Mode::Last, attempt);
        expect(called, Fault::Contract, None, "changed a state although only its value was asked for");
    }
}

#[test]
fn an_aggregate_subtracts_the_records_that_the_engine_says() {
    let [grouped] =
        call(&[group(Some(state(",a")), &[], &["-a", "b"])], Mode::Each, Attempt::Batch).try_into().unwrap();
    assert_eq!(grouped.state, Some(state(",a,-a,b")));
    assert_eq!(grouped.outcomes.iter().map(text).collect::<Vec<_>>(), [",a,-a", ",a,-a,b"]);
}

#[test]
fn an_aggregate_gets_null_values() {
    let null = millrace_engine::ports::Message { value: None, ..message("") };
    let group = Group { entries: vec![(Change::Add, null)], ..group(None, &[], &[]) };
    assert_eq!(call(&[group], Mode::Each, Attempt::Batch)[0].state, Some(state(",null")));
}

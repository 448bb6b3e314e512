//! Windows of aggregates, beyond Kafka Streams' results (`golden.rs`): late records, failures, deleted and large
//! states, commits.

#![allow(clippy::unwrap_used)]

mod support;

use support::{Limits, Play, check, check_counts, check_within, play, play_on, topology, trimmed};

/// A source, an aggregate with these settings, and a sink.
fn step(settings: &str) -> String {
    format!(
        "[[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\n
         [[aggregate]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.append\"\n{settings}\n
         [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n"
    )
}

const TUMBLING: &str = "window = { tumbling = \"10ms\" }";
const HOPPING: &str = "window = { hopping = \"20ms\", every = \"10ms\" }";
const SLIDING: &str = "window = { sliding = \"10ms\" }";
const SESSION: &str = "window = { session = \"10ms\" }";

#[test]
fn a_late_record_is_counted_or_dead_lettered_or_leaves_by_the_late_port() {
    let input = "in a 1 @5\nin a 2 @25\nin a 3 @7\nin a 4 @26";
    let rest = "out a ,1 @5 [0,10]\nout a ,2 @25 [20,30]\n{}\nout a ,2,4 @26 [20,30]";
    check(&step(TUMBLING), input, &rest.replace("{}", ""));
    check_counts(&step(TUMBLING), input, "step dropped late 1\nstep plugin entries 3");
    let strict = step(&format!("{TUMBLING}\non-late = \"dead-letter\""));
    check(&strict, input, &rest.replace("{}", "dead a 3 @7 late at step from in/2"));
    check_counts(&strict, input, "step dead-lettered late 1\nstep plugin entries 3");
    let port = step(TUMBLING) + "[[sink]]\nfrom = \"step.late\"\ntopic = \"late\"\n";
    check(&port, input, &rest.replace("{}", "late a 3 @7"));
    check_counts(&port, input, "step plugin entries 3");
}

#[test]
fn late_records_of_sliding_and_session_windows_are_counted() {
    for window in [SLIDING, SESSION] {
        check_counts(
            &step(window),
            "in a 1 @100\nin b 2 @200\nin a 3 @101",
            "step dropped late 1\nstep plugin entries 2",
        );
    }
}

#[test]
fn a_record_with_an_open_window_is_not_late_and_its_closed_windows_are_counted() {
    let input = "in a 1 @35\nin a 2 @25";
    check(&step(HOPPING), input, "out a ,1 @35 [20,40]\nout a ,1 @35 [30,50]\nout a ,1,2 @35 [20,40]");
    check_counts(&step(HOPPING), input, "step dropped late-window 1\nstep plugin entries 3");
}

#[test]
fn null_values_are_aggregated_except_in_sliding_windows_and_null_keys_never() {
    let input = "in a - @5\nin - 1 @5";
    check(&step(TUMBLING), input, "out a ,null @5 [0,10]");
    check(&step(SESSION), input, "out a ,null @5 [5,5]");
    check(&step(SLIDING), input, "");
    check_counts(&step(SLIDING), input, "step dropped null-key 1\nstep dropped null-value 1");
}

#[test]
fn a_record_that_fails_creates_no_session_and_merges_none() {
    check(
        &step(SESSION),
        "in a 1 @10\nin a fail @15\nin a trap @18\nin a 2 @20\nin a skip @29\nin a 3 @31\nin a trap @25\nin a 4 @32",
        "out a ,1 @10 [10,10]
         dead a fail @15 bad at step from in/1
         dead a trap @18 trap at step from in/2
         out a - @10 [10,10]
         out a |,1,2 @20 [10,20]
         out a ,3 @31 [31,31]
         dead a trap @25 trap at step from in/6
         out a - @31 [31,31]
         out a |,3,4 @32 [31,32]",
    );
}

#[test]
fn a_record_that_fails_creates_no_sliding_window() {
    check(
        &step(SLIDING),
        "in a 1 @100\nin a fail @105\nin b trap @105\nin a 2 @108\nin a trap @103\nin b 3 @108",
        "out a ,1 @100 [90,100]
         dead a fail @105 bad at step from in/1
         dead b trap @105 trap at step from in/2
         out a ,2 @108 [101,111]
         out a ,1,2 @108 [98,108]
         dead a trap @103 trap at step from in/4
         out b ,3 @108 [98,108]",
    );
}

#[test]
fn a_record_with_many_windows_fails_once() {
    check(
        &step(HOPPING),
        "in a 1 @15\nin a fail @16\nin a trap @17\nin a 2 @18",
        "out a ,1 @15 [0,20]
         out a ,1 @15 [10,30]
         dead a fail @16 bad at step from in/1
         dead a trap @17 trap at step from in/2
         out a ,1,2 @18 [0,20]
         out a ,1,2 @18 [10,30]",
    );
}

#[test]
fn a_deleted_state_deletes_its_window() {
    check(
        &step(TUMBLING),
        "in a 1 @7\nin a clear @5\nin a 2 @3\nin b clear @4",
        "out a ,1 @7 [0,10]\nout a gone @7 [0,10]\nout a ,2 @3 [0,10]\nout b gone @4 [0,10]",
    );
    check(
        &step(SESSION),
        "in a 1 @10\nin a clear @12\nin a 2 @14",
        "out a ,1 @10 [10,10]\nout a - @10 [10,10]\nout a gone @12 [10,12]\nout a ,2 @14 [14,14]",
    );
    check(
        &step(SLIDING),
        "in a 1 @100\nin a 2 @108\nin a clear @108\nin a 3 @109",
        "out a ,1 @100 [90,100]
         out a ,2 @108 [101,111]
         out a ,1,2 @108 [98,108]
         out a gone @108 [101,111]
         out a gone @108 [98,108]
         out a ,3 @109 [101,111]
         out a ,1,3 @109 [99,109]",
    );
}

/// Settings with final results.
fn last(window: &str) -> String {
    step(&format!("{window}\nemit = \"final\"\n"))
}

#[test]
fn a_final_result_is_emitted_when_its_window_closes_also_after_a_restart() {
    check(
        &step(&format!("{TUMBLING}\ngrace = \"5ms\"\nemit = \"final\"")),
        "in b 2 @7\nin a 1 @3\nin a 3 @12\nin a fail @13\nin a 4 @16\nin b 5 @9\nin c 6 @25",
        "dead a fail @13 bad at step from in/3
         out a ,1 @3 [0,10]
         out b ,2 @7 [0,10]
         out a ,3,4 @16 [10,20]",
    );
    check(&last(SESSION), "in a 1 @10\nin a 2 @12\nin b 3 @23", "out a |,1,2 @12 [10,12]");
    check(
        &last(SLIDING),
        "in a 1 @100\nin a 2 @101\nin b 3 @112",
        "out a ,1 @100 [90,100]\nout a ,1,2 @101 [91,101]\nout a ,2 @101 [101,111]",
    );
}

#[test]
fn a_record_that_fails_advances_time_and_closes_windows() {
    check(
        &last(SESSION),
        "in a 1 @10\nin a fail @30\nin a 2 @31",
        "dead a fail @30 bad at step from in/1\nout a ,1 @10 [10,10]",
    );
}

#[test]
fn a_window_whose_state_was_deleted_has_no_final_result() {
    check(&last(TUMBLING), "in a 1 @1\nin a clear @2\nin b 2 @3\nin b 3 @11", "out b ,2 @3 [0,10]");
}

#[test]
fn a_jump_of_time_emits_all_final_results_unless_the_step_has_a_retention() {
    let input = "in a 1 @5\nin a 2 @500000\nin a 3 @500011";
    let all = "out a ,1 @5 [0,10]\nout a ,2 @500000 [500000,500010]";
    check(&last(TUMBLING), input, all);
    check_counts(&last(TUMBLING), input, "step plugin entries 3");
    let kept = last(&format!("{TUMBLING}\nretention = \"10ms\""));
    check(&kept, input, "out a ,2 @500000 [500000,500010]");
    check_counts(&kept, input, "step dropped expired-window 1\nstep plugin entries 3");
    check(&last(SESSION), input, "out a ,1 @5 [5,5]\nout a ,2 @500000 [500000,500000]");
    check_counts(&last(SESSION), input, "step plugin entries 3");
}

#[test]
fn the_dead_letter_of_a_final_result_shows_that_result() {
    // The window is in two headers of 8 bytes each, with names of 40 bytes and 20 bytes for all lengths.
    let limits = Limits { record_bytes: 6 + 16 + 40 + 20, ..Limits::NONE };
    let input = "in a 123 @1\nin a 456 @2\nin b 7 @3\nin b 8 @11";
    let expected = "dead a ,123,456 @2 too-large at sink-out from in/3\nout b ,7 @3 [0,10]";
    check_within(limits, &last(TUMBLING), input, expected);
}

/// A limit at which the state of a one-byte key may have this many bytes.
fn room_for(state: usize) -> Limits {
    Limits { state_bytes: 1 + 21 + 12 + state, ..Limits::NONE }
}

#[test]
fn a_record_that_makes_one_of_its_states_too_large_changes_none() {
    check_within(
        room_for(5),
        &step(HOPPING),
        "in a 11 @5\nin a 2 @15\nin a 33 @16\nin a 4 @25",
        "out a ,11 @5 [0,20]
         out a ,11,2 @15 [0,20]
         out a ,2 @15 [10,30]
         dead a 33 @16 state-too-large at step from in/2
         out a ,2,4 @25 [10,30]
         out a ,4 @25 [20,40]",
    );
}

#[test]
fn sessions_that_would_be_too_large_are_not_merged() {
    check_within(
        room_for(6),
        &step(&format!("{SESSION}\ngrace = \"30ms\"")),
        "in a 11 @1\nin a 2 @21\nin a 3 @11\nin a 4 @22",
        "out a ,11 @1 [1,1]
         out a ,2 @21 [21,21]
         dead a 3 @11 state-too-large at step from in/2
         out a - @21 [21,21]
         out a |,2,4 @22 [21,22]",
    );
}

/// Runs with a commit after this many records, with several batch sizes, with restarts and without.
#[track_caller]
fn check_commits(steps: &str, commit_every: usize, input: &str, expected: &str) {
    for batch in [1, 2, 100] {
        for restart in [false, true] {
            let way = Play { batch, commit_every, restart, ..Play::PLAIN };
            let (outputs, _) = play(&topology(steps), &trimmed(input), &way);
            assert_eq!(outputs, trimmed(expected), "{way:?}");
        }
    }
}

#[test]
fn a_commit_emits_the_last_result_of_each_key_in_the_order_of_first_changes() {
    check_commits(
        &step("emit = \"commit\""),
        4,
        "in b 1 @1\nin a 2 @2\nin b fail @3\nin b 3 @4\nin a 4 @1\nin a 5 @6",
        "dead b fail @3 bad at step from in/2
         out b ,1,3 @4
         out a ,2 @2
         out a ,2,4,5 @6",
    );
}

#[test]
fn a_commit_emits_the_last_result_of_each_window() {
    check_commits(
        &step(&format!("{HOPPING}\nemit = \"commit\"")),
        2,
        "in a 1 @15\nin a 2 @25\nin a 3 @26\nin b 4 @27",
        "out a ,1 @15 [0,20]
         out a ,1,2 @25 [10,30]
         out a ,2 @25 [20,40]
         out a ,1,2,3 @26 [10,30]
         out a ,2,3 @26 [20,40]
         out b ,4 @27 [10,30]
         out b ,4 @27 [20,40]",
    );
    check_commits(
        &step(&format!("{SLIDING}\nemit = \"commit\"")),
        3,
        "in a 1 @100\nin a 2 @108\nin a 3 @104",
        "out a ,1 @100 [90,100]
         out a ,2,3 @108 [101,111]
         out a ,1,2,3 @108 [98,108]
         out a ,2 @108 [105,115]",
    );
}

#[test]
fn what_was_read_of_a_key_is_not_read_again_after_a_commit() {
    let records: Vec<String> = (0..20).map(|time| format!("in a v @{time}")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let read = |settings: &str, window_memory| {
        let way = Play { commit_every: 1, window_memory, ..Play::PLAIN };
        let (_, _, disk) = play_on(&topology(&step(settings)), &records, &way);
        (disk.visited(), disk.read_bytes())
    };
    for windows in [SESSION, SLIDING] {
        let [(cached, _), (uncached, _)] = [usize::MAX, 0].map(|memory| read(windows, memory));
        assert!(cached == 0 && uncached >= 19, "{windows}: {cached} and {uncached} entries");
    }
    let [(_, cached), (_, uncached)] = [usize::MAX, 0].map(|memory| read("", memory));
    assert!(cached < 20 && uncached > 19 * 20, "without windows: {cached} and {uncached} bytes");
}

#[test]
fn null_results_are_dropped_where_the_step_says_so() {
    let drop = |emit: &str| step(&format!("{SESSION}\non-null-result = \"drop\"\nemit = \"{emit}\""));
    check(&drop("each"), "in a 1 @0\nin a 2 @5", "out a ,1 @0 [0,0]\nout a |,1,2 @5 [0,5]");
    check(&drop("final"), "in a 1 @0\nin a 2 @5\nin b 3 @99", "out a |,1,2 @5 [0,5]");
}

#[test]
fn a_session_is_hidden_at_the_very_end_of_its_gap_unless_its_retention_is_longer() {
    let records = "in a 1 @0\nin b 2 @10\nin a 3 @10\nin c 4 @21";
    let hidden = "out a ,1 @0 [0,0]\nout b ,2 @10 [10,10]\nout a ,3 @10 [10,10]\nout c ,4 @21 [21,21]";
    check(&step(SESSION), records, hidden);
    let kept =
        "out a ,1 @0 [0,0]\nout b ,2 @10 [10,10]\nout a - @0 [0,0]\nout a |,1,3 @10 [0,10]\nout c ,4 @21 [21,21]";
    check(&step(&format!("{SESSION}\nretention = \"11ms\"")), records, kept);
}

#[test]
fn a_commit_deletes_merged_sessions_that_an_earlier_commit_has_emitted() {
    check_commits(
        &step(&format!("{SESSION}\nemit = \"commit\"")),
        2,
        "in a 1 @10\nin a 2 @12\nin a 3 @15\nin b 1 @15",
        "out a |,1,2 @12 [10,12]
         out a - @12 [10,12]
         out a ||,1,2,3 @15 [10,15]
         out b ,1 @15 [15,15]",
    );
}

#[test]
fn a_record_reads_only_its_own_windows() {
    for window in [TUMBLING, HOPPING, SLIDING, SESSION] {
        for emit in ["each", "final"] {
            let steps = step(&format!("{window}\ngrace = \"1h\"\nemit = \"{emit}\""));
            let lines: Vec<String> = (0..300).map(|n| format!("in key{n} x @{}", 1_000 + n % 10)).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let way = Play { commit_every: 1, restart: true, ..Play::PLAIN };
            let (_, ledger, disk) = play_on(&topology(&steps), &lines, &way);
            assert_eq!(ledger.consumed, 300);
            assert!(disk.visited() <= 2 * 300, "{window} {emit}: {} entries", disk.visited());
        }
    }
}

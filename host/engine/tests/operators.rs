//! Each operator, as text, in every way of running: see `support`.

mod support;

use support::{check, check_counts};

const ONE: &str = "[[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\n";
const TWO: &str = "
[[source]]
name = \"left\"
topic = \"left\"
value = \"bytes\"
[[source]]
name = \"right\"
topic = \"right\"
value = \"bytes\"
";

/// A source, the step, and a sink.
fn one(steps: &str) -> String {
    format!("{ONE}{steps}\n[[sink]]\nfrom = \"step\"\ntopic = \"out\"\n")
}

fn transform(call: &str) -> String {
    one(&format!("[[transform]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.{call}\""))
}

fn join(window: &str) -> String {
    format!(
        "{TWO}[[join]]\nname = \"step\"\nleft = \"left\"\nright = \"right\"\n{window}\ncall = \"t.cat\"\n
        [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n"
    )
}

#[test]
fn a_transform_emits_no_record_one_or_many_per_record() {
    check(&transform("upper"), "in a x @1\nin b y @2\nin - z @3", "out a X @1\nout b Y @2\nout - Z @3");
    check(&transform("twice"), "in a x @1\nin b y @2", "out a x.1 @1\nout a x.2 @1\nout b y.1 @2\nout b y.2 @2");
}

#[test]
fn a_failed_record_is_dead_lettered_with_its_original_bytes_and_other_records_are_processed() {
    check(
        &transform("upper"),
        "in a x @1\nin b fail @2\nin c y @3\nin d retry @4\nin e skip @5",
        "out a X @1
         dead b fail @2 bad at step from in/1
         out c Y @3
         dead d retry @4 bad at step from in/3",
    );
}

#[test]
fn a_trap_fails_one_record_only() {
    check(
        &transform("upper"),
        "in a x @1\nin b trap1 @2\nin c y @3\nin d trap2 @4\nin e trap3 @5\nin f z @6",
        "out a X @1
         dead b trap1 @2 trap at step from in/1
         out c Y @3
         dead d trap2 @4 trap at step from in/3
         dead e trap3 @5 trap at step from in/4
         out f Z @6",
    );
}

#[test]
fn on_error_skip_counts_failed_records_and_writes_no_dead_letters() {
    let steps = one("[[transform]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.upper\"\non-error = \"skip\"");
    check(&steps, "in a fail @1\nin b x @2\nin c trap @3", "out b X @2");
    check_counts(
        &steps,
        "in a fail @1\nin b x @2\nin c trap @3",
        "step dropped bad 1\nstep dropped trap 1\nstep plugin seen 2",
    );
}

#[test]
fn ports_branch_the_stream() {
    check(
        &format!(
            "{ONE}[[transform]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.size\"
             [[sink]]\nfrom = \"step.large\"\ntopic = \"large\"\n[[sink]]\nfrom = \"step.small\"\ntopic = \"small\"\n"
        ),
        "in a x @1\nin a xxx @2\nin a y @3",
        "small a x @1\nlarge a xxx @2\nsmall a y @3",
    );
}

#[test]
fn a_merge_keeps_the_order_of_time_and_then_of_sources() {
    check(
        &format!(
            "{TWO}[[merge]]\nname = \"step\"\nfrom = [\"right\", \"left\"]\n[[sink]]\nfrom = \"step\"\ntopic = \"out\"\n"
        ),
        "left a 1 @1\nright a 2 @1\nright b 3 @0",
        "out a 1 @1\nout a 2 @1\nout b 3 @0",
    );
}

#[test]
fn branches_of_one_record_are_emitted_depth_first() {
    check(
        &format!(
            "{ONE}[[transform]]\nname = \"two\"\nfrom = \"in\"\ncall = \"t.twice\"
             [[transform]]\nname = \"up\"\nfrom = \"two\"\ncall = \"t.upper\"
             [[sink]]\nfrom = \"two\"\ntopic = \"plain\"\n[[sink]]\nfrom = \"up\"\ntopic = \"up\"\n"
        ),
        "in a x @1\nin a y @2",
        "up a X.1 @1\nplain a x.1 @1\nup a X.2 @1\nplain a x.2 @1\nup a Y.1 @2\nplain a y.1 @2\nup a Y.2 @2\nplain a y.2 @2",
    );
}

#[test]
fn a_join_matches_within_its_window_with_both_ends_at_the_later_time() {
    check(
        &join("within = \"10ms\""),
        "left a 1 @100\nright a 2 @110\nright a 3 @90\nright a 4 @111\nright a 5 @89\nright b 6 @100",
        "out a 1+2 @110\nout a 1+3 @100",
    );
}

#[test]
fn before_and_after_are_relative_to_the_left_side() {
    check(
        &join("before = \"5ms\"\nafter = \"20ms\""),
        "left a 1 @100\nright a 2 @95\nright a 3 @94\nright a 4 @120\nright a 5 @121\nleft a 6 @126",
        "out a 1+2 @100\nout a 1+4 @120\nout a 6+5 @126",
    );
}

#[test]
fn duplicates_are_kept_and_matched_in_the_order_of_time_and_arrival() {
    check(
        &join("within = \"10ms\""),
        "left a 3 @103\nleft a 1 @101\nleft a 2 @101\nright a x @105",
        "out a 1+x @105\nout a 2+x @105\nout a 3+x @105",
    );
}

#[test]
fn a_late_record_still_probes_but_is_not_stored_after_its_window_has_closed() {
    // The right side still has 100; the left side's stream time is 500, and its records before 481 have expired.
    let input = "right a r @100\nleft a 1 @500\nleft a 2 @101\nright a s @102";
    check(&join("within = \"10ms\""), input, "out a 2+r @101");
    check_counts(&join("within = \"10ms\""), input, "step dropped late 1");
}

#[test]
fn a_join_drops_and_counts_records_with_null_keys_or_null_values() {
    let input = "left - 1 @1\nleft a - @2\nright a 2 @3\nright - 3 @4";
    check(&join("within = \"10ms\""), input, "");
    check_counts(&join("within = \"10ms\""), input, "step dropped null-key 2\nstep dropped null-value 1");
    let strict = join("within = \"10ms\"\non-null-key = \"dead-letter\"");
    check(&strict, input, "dead - 1 @1 null-key at step from left/0\ndead - 3 @4 null-key at step from right/1");
}

#[test]
fn a_pair_that_traps_dead_letters_the_record_that_made_it() {
    check(
        &join("within = \"10ms\""),
        "left a 1 @1\nright a trap @2\nright a 2 @3\nleft a trap @4\nleft b 1 @5\nright b 1 @5",
        "dead a trap @2 trap at step from right/0
         out a 1+2 @3
         dead a trap @4 trap at step from left/1
         dead a trap @4 trap at step from left/1
         out b 1+1 @5",
    );
}

const LOOKUP: &str = "
[[source]]
name = \"in\"
topic = \"in\"
value = \"bytes\"
[[table]]
name = \"rows\"
topic = \"rows\"
value = \"bytes\"
[[transform]]
name = \"up\"
from = \"in\"
call = \"t.upper\"
[[lookup]]
name = \"step\"
stream = \"up\"
table = \"rows\"
call = \"t.cat\"
[[sink]]
from = \"step\"
topic = \"out\"
";

#[test]
fn a_lookup_sees_the_row_at_the_record_in_any_batch() {
    check(
        LOOKUP,
        "in a early @1\nrows a 1 @2\nin a x @3\nrows a 2 @4\nin a y @5\nrows a - @6\nin a z @7\nrows b 3 @8\nin b w @9",
        "out a X+1 @3\nout a Y+2 @5\nout b W+3 @9",
    );
    check_counts(
        LOOKUP,
        "in a x @1\nin - y @2\nrows - 1 @3",
        "rows dropped null-key 1\nstep dropped no-row 1\nstep dropped null-key 1\nup plugin seen 2",
    );
}

#[test]
fn an_aggregate_emits_a_result_after_each_record() {
    let steps = one("[[aggregate]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.append\"");
    check(
        &steps,
        "in a 1 @10\nin b 2 @20\nin a 3 @5\nin a - @30\nin - 4 @31\nin b 5 @40",
        "out a ,1 @10\nout b ,2 @20\nout a ,1,3 @10\nout b ,2,5 @40",
    );
}

#[test]
fn a_record_that_fails_in_an_aggregate_does_not_change_the_state() {
    let steps = one("[[aggregate]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.append\"");
    check(
        &steps,
        "in a 1 @1\nin a fail @99\nin a trap @98\nin b trap @97\nin a 2 @2\nin b 3 @3\nin a skip @96\nin a 4 @4",
        "out a ,1 @1
         dead a fail @99 bad at step from in/1
         dead a trap @98 trap at step from in/2
         dead b trap @97 trap at step from in/3
         out a ,1,2 @2
         out b ,3 @3
         out a ,1,2,4 @4",
    );
}

#[test]
fn the_time_of_a_deleted_state_is_forgotten() {
    let steps = one("[[aggregate]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.append\"");
    check(
        &steps,
        "in a 1 @50\nin a clear @60\nin a 3 @3",
        "out a ,1 @50
         out a gone @60
         out a ,3 @3",
    );
    check(
        &steps,
        "in a 1 @50\nin b 2 @70\nin a clear @40\nin a fail @99\nin a 3 @3\nin a trap @98\nin a 4 @2\nin b clear @5\nin b 5 @1\nin b clear @4\nin b 6 @-9",
        "out a ,1 @50
         out b ,2 @70
         out a gone @50
         dead a fail @99 bad at step from in/3
         out a ,3 @3
         dead a trap @98 trap at step from in/5
         out a ,3,4 @3
         out b gone @70
         out b ,5 @1
         out b gone @4",
    );
}

#[test]
fn a_process_step_keeps_state_and_undoes_what_a_failed_record_wrote() {
    let steps = one("[[process]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.number\"");
    check(
        &steps,
        "in a x @1\nin b x @2\nin a fail @3\nin a trap @4\nin a y @5\nin b y @6",
        "out a x#1 @1
         out b x#1 @2
         dead a fail @3 bad at step from in/2
         dead a trap @4 trap at step from in/3
         out a y#2 @5
         out b y#2 @6",
    );
}

#[test]
fn a_range_sees_the_open_transaction_over_committed_entries() {
    let steps = one("[[process]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.keys\"");
    check(
        &steps,
        "in a 1 @1\nin a 3 @2\nin b 0 @3\nin a del1 @4\nin a 2 @5\nin a fail9 @6\nin a del7 @7",
        "out a a/1 @1
         out a a/1|a/3 @2
         out b a/1|a/3|b/0 @3
         out a a/3|b/0 @4
         out a a/2|a/3|b/0 @5
         dead a fail9 @6 bad at step from in/5
         out a a/2|a/3|b/0 @7",
    );
}

#[test]
fn a_new_key_is_repartitioned_before_state_and_dead_letters_keep_the_origin() {
    let steps = "
        [[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\npartitions = 3
        [[transform]]\nname = \"re\"\nfrom = \"in\"\ncall = \"t.rekey\"
        [[aggregate]]\nname = \"step\"\nfrom = \"re\"\ncall = \"t.append\"
        [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n";
    check(
        steps,
        "in k1 apple @1\nin k2 beet @2\nin k1 acorn @3\nin k1 b:trap @4",
        "out a ,apple @1\nout b ,beet @2\nout a ,apple,acorn @3\ndead b b:trap @4 trap at step from in/2",
    );
}

#[test]
fn a_source_dead_letters_records_that_do_not_match_its_codecs() {
    let steps = "
        [[source]]\nname = \"in\"\ntopic = \"in\"\nkey = \"i64\"
        [[sink]]\nfrom = \"in\"\ntopic = \"out\"\n";
    check(
        steps,
        "in 12345678 {\"a\":1} @1\nin 1234567 {} @2\nin 12345678 {\"a\": @3\nin - 1 @4\nin 12345678 - @5\nin 12345678 1 @-6",
        "out 12345678 {\"a\":1} @1
         dead 1234567 {} @2 bad-key at in from in/1
         dead 12345678 {\"a\": @3 bad-value at in from in/2
         out - 1 @4
         out 12345678 - @5",
    );
    check_counts(steps, "in 12345678 1 @-6", "in dropped negative-timestamp 1");
}

#[test]
fn a_validating_function_rejects_a_record_once_for_all_readers() {
    let steps = "
        [[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\nvalidate = \"t.check\"
        [[transform]]\nname = \"step\"\nfrom = \"in\"\ncall = \"t.upper\"
        [[sink]]\nfrom = \"step\"\ntopic = \"up\"\n[[sink]]\nfrom = \"in\"\ntopic = \"plain\"\n";
    check(
        steps,
        "in a x @1\nin a fail @2\nin a skip @3\nin a trap @4",
        "up a X @1\nplain a x @1\ndead a fail @2 bad at in from in/1\ndead a trap @4 trap at in from in/3",
    );
}

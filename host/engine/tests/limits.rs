//! A record that is too large for a topic or a store fails without a trace.

#![allow(clippy::unwrap_used)]

mod support;

use support::{Limits, check_within};

const RECORDS: Limits = Limits { record_bytes: 6, ..Limits::NONE };

const COPY: &str = r#"
    [[source]]
    name = "in"
    topic = "in"
    value = "bytes"
    [[sink]]
    from = "in"
    topic = "out"
"#;

#[test]
fn a_record_too_large_for_its_topic_fails_at_the_sink() {
    let input = "in k fits @1\nin k too-long @2\nin key fits @3\nin - exactl @4";
    let expected = "out k fits @1\ndead k too-long @2 too-large at sink-out from in/1\n\
        dead key fits @3 too-large at sink-out from in/2\nout - exactl @4";
    check_within(RECORDS, COPY, input, expected);
}

#[test]
fn a_sink_may_skip_records_that_are_too_large() {
    let steps = format!("{COPY}on-error = \"skip\"\n");
    check_within(RECORDS, &steps, "in k too-long @1\nin k fits @2", "out k fits @2");
}

#[test]
fn each_sink_of_a_step_checks_its_own_limit() {
    let steps = r#"
        [[source]]
        name = "in"
        topic = "in"
        value = "bytes"
        [[transform]]
        name = "both"
        from = "in"
        call = "t.twice"
        [[sink]]
        from = "in"
        topic = "short"
        [[sink]]
        from = "both"
        topic = "long"
    "#;
    let input = "in k abcd @1\nin k abc @2";
    let expected = "dead k abcd @1 too-large at sink-long from in/0\n\
        dead k abcd @1 too-large at sink-long from in/0\nshort k abcd @1\n\
        long k abc.1 @2\nlong k abc.2 @2\nshort k abc @2";
    check_within(RECORDS, steps, input, expected);
}

#[test]
fn a_record_too_large_for_a_repartition_topic_fails() {
    let steps = r#"
        [[source]]
        name = "in"
        topic = "in"
        value = "bytes"
        [[transform]]
        name = "keyed"
        from = "in"
        call = "t.rekey"
        [[aggregate]]
        name = "sum"
        from = "keyed"
        call = "t.append"
        [[sink]]
        from = "sum"
        topic = "out"
    "#;
    // The origin is in a header of 40 bytes, with 10 bytes for its lengths.
    let limits = Limits { record_bytes: 55, ..Limits::NONE };
    let input = "in k abcd @1\nin k abcde @2";
    check_within(limits, steps, input, "out a ,abcd @1\ndead k abcde @2 too-large at keyed-repartition from in/1");
}

const SUM: &str = r#"
    [[source]]
    name = "in"
    topic = "in"
    value = "bytes"
    [[aggregate]]
    name = "sum"
    from = "in"
    call = "t.append"
    [[sink]]
    from = "sum"
    topic = "out"
"#;

#[test]
fn a_record_that_makes_a_state_too_large_fails_and_does_not_change_it() {
    // Beside key and state, an entry has 12 bytes.
    let limits = Limits { state_bytes: 1 + 12 + 6, ..Limits::NONE };
    let input = "in k aaa @1\nin k bbbb @9\nin k c @2\nin k d @3\nin l bbbbb @4\nin k clear @5\nin k eeeee @6";
    let expected = "out k ,aaa @1\ndead k bbbb @9 state-too-large at sum from in/1\nout k ,aaa,c @2\n\
        dead k d @3 state-too-large at sum from in/3\nout l ,bbbbb @4\nout k gone @5\nout k ,eeeee @6";
    check_within(limits, SUM, input, expected);
}

#[test]
fn a_state_that_is_too_large_in_between_fails_the_record() {
    let limits = Limits { state_bytes: 1 + 12 + 2, ..Limits::NONE };
    let input = "in k long @1\nin k clear @2\nin k b @3";
    check_within(limits, SUM, input, "dead k long @1 state-too-large at sum from in/0\nout k gone @2\nout k ,b @3");
}

#[test]
fn writes_of_a_processor_are_undone_if_one_entry_is_too_large() {
    let steps = r#"
        [[source]]
        name = "in"
        topic = "in"
        value = "bytes"
        [[process]]
        name = "keys"
        from = "in"
        call = "t.keys"
        [[sink]]
        from = "keys"
        topic = "out"
    "#;
    let limits = Limits { state_bytes: 4 + 4, ..Limits::NONE };
    let input = "in k ab @1\nin k abc @2\nin k cd @3\nin k delab @4";
    let expected = "out k k/ab @1\ndead k abc @2 state-too-large at keys from in/1\n\
        out k k/ab|k/cd @3\nout k k/cd @4";
    check_within(limits, steps, input, expected);
}

#[test]
fn a_row_that_is_too_large_fails_and_the_old_row_stays() {
    let steps = r#"
        [[table]]
        name = "rows"
        topic = "rows"
        value = "bytes"
        [[source]]
        name = "in"
        topic = "in"
        value = "bytes"
        [[lookup]]
        name = "found"
        stream = "in"
        table = "rows"
        call = "t.cat"
        [[sink]]
        from = "found"
        topic = "out"
    "#;
    let limits = Limits { state_bytes: 1 + 8 + 2, ..Limits::NONE };
    let input = "rows k ab @1\nrows k abc @2\nin k x @3\nrows k - @4\nin k y @5";
    check_within(limits, steps, input, "dead k abc @2 state-too-large at rows from rows/1\nout k x+ab @3");
}

#[test]
fn a_record_too_large_for_the_store_of_a_join_makes_no_pair() {
    let steps = r#"
        [[source]]
        name = "left"
        topic = "left"
        value = "bytes"
        [[source]]
        name = "right"
        topic = "right"
        value = "bytes"
        [[join]]
        name = "pairs"
        left = "left"
        right = "right"
        within = "5ms"
        call = "t.cat"
        [[sink]]
        from = "pairs"
        topic = "out"
    "#;
    let limits = Limits { state_bytes: 1 + 20 + 2, ..Limits::NONE };
    let input = "left k a @1\nright k bcd @2\nright k e @3\nleft k fgh @4\nleft - fgh @5";
    let expected = "dead k bcd @2 state-too-large at pairs from right/0\nout k a+e @3\n\
        dead k fgh @4 state-too-large at pairs from left/1";
    check_within(limits, steps, input, expected);
}

#[test]
fn a_record_with_too_many_outputs_fails_once_and_other_records_are_processed() {
    let steps = r#"
        [[source]]
        name = "in"
        topic = "in"
        value = "bytes"
        [[transform]]
        name = "many"
        from = "in"
        call = "t.many"
        [[transform]]
        name = "more"
        from = "many"
        call = "t.many"
        [[sink]]
        from = "more"
        topic = "out"
    "#;
    let limits = Limits { record_outputs: 5, ..Limits::NONE };
    // Three times three outputs: the step emits the first three.
    let expected = "out k 2x1 @1\nout k 2x1 @1\nout k 2x1 @1\nout k 2x1 @1\n\
        out k 3x1 @2\nout k 3x1 @2\nout k 3x1 @2\ndead k 3x1 @2 too-many-outputs at more from in/1\n\
        out k 1x1 @3\ndead k 6x1 @4 too-many-outputs at many from in/3";
    check_within(limits, steps, "in k 2x1 @1\nin k 3x1 @2\nin k 1x1 @3\nin k 6x1 @4", expected);
}

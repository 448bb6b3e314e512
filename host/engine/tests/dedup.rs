//! Duplicates are dropped, in every way of running.

mod support;

use support::{Limits, check, check_counts, check_within};

const STEPS: &str = r#"
    [[source]]
    name = "in"
    topic = "in"
    value = "bytes"
    [[dedup]]
    name = "step"
    from = "in"
    by = ["header:id", "field:id"]
    within = "10ms"
    [[sink]]
    from = "step"
    topic = "out"
"#;

#[test]
fn a_record_with_the_same_identity_within_the_time_is_dropped_and_counted() {
    let input =
        "in a 1 @100 id=x\nin b 2 @110 id=x\nin c 3 @90 id=x\nin d 4 @111 id=x\nin - - @101 id=y\nin - - @105 id=y";
    check(STEPS, input, "out a 1 @100\nout d 4 @111\nout - - @101");
    check_counts(STEPS, input, "step dropped duplicate 3");
}

#[test]
fn a_duplicate_does_not_extend_the_time() {
    check(STEPS, "in a 1 @0 id=x\nin a 2 @8 id=x\nin a 3 @16 id=x\nin a 4 @24 id=x", "out a 1 @0\nout a 3 @16");
}

#[test]
fn the_first_header_or_field_of_the_list_is_the_identity() {
    check(
        STEPS,
        "in a {\"id\":1} @1\nin a {\"n\":0,\"id\":1} @2\nin a {\"id\":\"1\"} @3\nin a {\"id\":1.0} @4\nin a {\"id\":[1]} @5
         in a {\"id\":1} @6 id=h\nin a {\"id\":2} @7 id=h\nin a {\"id\":3} @8 id=a id=b\nin a {\"id\":3} @9 id=c id=b
         in a {\"id\":4} @10 id=-\nin a {\"id\":4} @10",
        "out a {\"id\":1} @1\nout a {\"id\":\"1\"} @3\nout a {\"id\":1.0} @4\nout a {\"id\":[1]} @5
         out a {\"id\":1} @6\nout a {\"id\":3} @8\nout a {\"id\":4} @10",
    );
}

#[test]
fn an_identity_does_not_depend_on_escapes_and_half_a_character_hides_none() {
    check(
        STEPS,
        r#"in a {"id":"caf\u00e9"} @1
           in a {"id":"café"} @2
           in a {"id":"a/b"} @3
           in a {"id":"a\/b"} @4
           in a {"\ud83d":1,"id":7} @5
           in a {"\ud83d":1,"id":7} @6
           in a {"id":1,"id":2} @7
           in a {"id":2} @8"#,
        r#"out a {"id":"caf\u00e9"} @1
           out a {"id":"a/b"} @3
           out a {"\ud83d":1,"id":7} @5
           out a {"id":1,"id":2} @7"#,
    );
}

#[test]
fn a_record_without_an_identity_is_emitted_and_counted() {
    let input = "in a {} @1\nin a {} @1\nin a {\"id\":null} @2\nin a no-json @3\nin a - @4";
    check(STEPS, input, "out a {} @1\nout a {} @1\nout a {\"id\":null} @2\nout a no-json @3\nout a - @4");
    check_counts(STEPS, input, "step noted no-identity 5");
}

#[test]
fn a_record_whose_duplicates_may_have_expired_is_late() {
    let input = "in a 1 @80 id=x\nin a 2 @100 id=y\nin a 3 @90 id=x\nin a 4 @89 id=w\nin a 5 @88 id=x\nin a 6 @90 id=z";
    check(STEPS, input, "out a 1 @80\nout a 2 @100\nout a 6 @90");
    check_counts(STEPS, input, "step dropped duplicate 2\nstep dropped late 1");
    let letters = STEPS.replace("within", "on-late = \"dead-letter\"\nwithin");
    check(&letters, input, "out a 1 @80\nout a 2 @100\ndead a 4 @89 late at step from in/3\nout a 6 @90");
    let port = format!("{STEPS}[[sink]]\nfrom = \"step.late\"\ntopic = \"late\"\n");
    check(&port, input, "out a 1 @80\nout a 2 @100\nlate a 4 @89\nout a 6 @90");
    check_counts(&port, input, "step dropped duplicate 2");
}

#[test]
fn a_duplicate_advances_stream_time() {
    check(STEPS, "in a 1 @100 id=x\nin a 2 @110 id=x\nin a 3 @99 id=y\nin a 4 @100 id=y", "out a 1 @100\nout a 4 @100");
}

#[test]
fn an_identity_that_is_too_large_for_the_store_fails() {
    let limits = Limits { state_bytes: 26, ..Limits::NONE };
    check_within(
        limits,
        STEPS,
        "in a 1 @1 id=123456\nin a 2 @2 id=12345",
        "dead a 1 @1 state-too-large at step from in/0\nout a 2 @2",
    );
}

//! Left and outer joins of streams, as text, in every way of running: see `support`. The expected results are from
//! Kafka Streams.

mod support;

use support::{check, check_counts};

fn join(settings: &str) -> String {
    format!(
        "[[source]]\nname = \"left\"\ntopic = \"left\"\nvalue = \"bytes\"
         [[source]]\nname = \"right\"\ntopic = \"right\"\nvalue = \"bytes\"
         [[join]]\nname = \"step\"\nleft = \"left\"\nright = \"right\"\n{settings}\ncall = \"t.cat\"
         [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n"
    )
}

fn left() -> String {
    join("within = \"10ms\"\nkind = \"left\"")
}

fn outer() -> String {
    join("within = \"10ms\"\nkind = \"outer\"")
}

/// KAFKA-10847: a left join doesn't emit an unmatched record while it can still match.
#[test]
fn an_unmatched_record_is_emitted_once_when_it_can_not_match_any_more() {
    check(
        &left(),
        "left a 1 @100\nleft b 2 @105\nright a x @108\nleft c 3 @115\nleft c 4 @116",
        "out a 1+x @108\nout b 2+~ @105",
    );
}

/// KAFKA-16123: a late record probes the live records of the other side, and is emitted alone at once if none matches.
#[test]
fn a_late_record_is_not_dropped() {
    let input = "left a 1 @100\nright b 2 @500\nright a 3 @101\nleft a 4 @102\nleft z 5 @600\nleft a 6 @103";
    check(&outer(), input, "out a 1+~ @100\nout a 1+3 @101\nout a 4+~ @102\nout b ~+2 @500\nout a 6+~ @103");
    check_counts(&outer(), input, "step dropped late 2");
}

/// KAFKA-20099: the stream time of a join survives a restart, so that late records stay late.
#[test]
fn a_restart_does_not_set_the_time_of_a_join_back() {
    check(
        &join("before = \"0ms\"\nafter = \"10ms\"\ngrace = \"5ms\"\nkind = \"left\""),
        "left a 1 @100\nright z 2 @200\nleft b 3 @150\nleft c 4 @195\nright z 5 @210\nright z 6 @211",
        "out a 1+~ @100\nout b 3+~ @150\nout c 4+~ @195",
    );
}

#[test]
fn unmatched_records_are_emitted_by_time_then_side_then_key_then_arrival() {
    check(
        &outer(),
        "left a 1 @100\nleft a 2 @100\nleft b 3 @100\nright c 4 @100\nleft b 5 @100\nright b 6 @101\nleft z 7 @200",
        "out b 3+6 @101\nout b 5+6 @101\nout c ~+4 @100\nout a 1+~ @100\nout a 2+~ @100",
    );
}

#[test]
fn a_record_without_a_key_is_emitted_alone_at_once_if_the_join_emits_its_side() {
    let input = "left - 1 @100\nright - 2 @100\nleft - - @101\nright - - @102";
    check(&outer(), input, "out - 1+~ @100\nout - ~+2 @100");
    check_counts(&outer(), input, "step dropped null-key 2");
    check(&left(), input, "out - 1+~ @100");
    check_counts(&left(), input, "step dropped null-key 3");
}

#[test]
fn a_dropped_record_advances_time_but_emits_no_unmatched_records() {
    let input = "left a 3 @102\nleft b - @200\nleft c 4 @199\nleft d 5 @200";
    check(&left(), input, "out a 3+~ @102");
    check_counts(&left(), input, "step dropped null-value 1");
}

#[test]
fn the_dead_letter_of_an_unmatched_record_shows_that_record() {
    check(
        &outer(),
        "left a trap @1\nleft b 2 @2\nright a fail @20\nright c 4 @40\nleft c skip @60\nleft d 5 @80",
        "dead a trap @1 trap at step from left/0
         out b 2+~ @2
         dead a fail @20 bad at step from right/0
         out c ~+4 @40",
    );
}

#[test]
fn an_unmatched_record_keeps_its_origin_through_repartition_topics_and_restarts() {
    let steps = "
        [[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\npartitions = 3
        [[source]]\nname = \"right\"\ntopic = \"right\"\nvalue = \"bytes\"\npartitions = 3
        [[transform]]\nname = \"re\"\nfrom = \"in\"\ncall = \"t.rekey\"
        [[join]]\nname = \"step\"\nleft = \"re\"\nright = \"right\"\nkind = \"left\"\nwithin = \"10ms\"\ncall = \"t.cat\"
        [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n";
    check(
        steps,
        "in k1 apple @1\nin k1 acorn:trap @2\nright a x @50\nin k2 away @100\nin k2 again @200",
        "out a apple+~ @1\ndead a acorn:trap @2 trap at step from in/1\nout a away+~ @100",
    );
}

#[test]
fn a_late_record_without_a_match_leaves_by_the_late_port_or_on_late() {
    let input = "left a 1 @500\nleft a 2 @100\nright b 3 @100\nleft b 4 @101";
    let inner = "within = \"10ms\"";
    check(&join(inner), input, "out b 4+3 @101");
    check_counts(&join(inner), input, "step dropped late 2");
    let letters = join("within = \"10ms\"\non-late = \"dead-letter\"");
    check(&letters, input, "dead a 2 @100 late at step from left/1\nout b 4+3 @101");
    check_counts(&letters, input, "step dropped late 1\nstep dead-lettered late 1");
    let port = format!("{}[[sink]]\nfrom = \"step.late\"\ntopic = \"late\"\n", join(inner));
    check(&port, input, "late a 2 @100\nout b 4+3 @101");
}

//! Timers of process functions, in every way of running: `support/alarms.rs` has the function `alarm`.

#![allow(clippy::unwrap_used)]

mod support;

use support::{Limits, Single, check, check_counts, check_within, header, value};

const STEPS: &str = "
[[source]]
name = \"in\"
topic = \"in\"
value = \"bytes\"
[[process]]
name = \"step\"
from = \"in\"
call = \"t.alarm\"
[[sink]]
from = \"step\"
topic = \"out\"
";

#[test]
fn a_timer_fires_once_after_the_record_that_advances_stream_time_to_it() {
    check(
        STEPS,
        "in k at.a.5 @1\nin x y @4\nin x z @5\nin x late @2\nin x far @900",
        "out k at.a.5 @1\nout x y @4\nout x z @5\nout k a.5#1 @5\nout x late @2\nout x far @900",
    );
}

#[test]
fn after_a_jump_timers_fire_in_the_order_of_time_then_key_then_name() {
    check(
        STEPS,
        "in b at.z.7+at.a.7 @1\nin a at.q.7+at.p.9 @1\nin - at.n.7 @1\nin c at.first.2 @1\nin x y @100",
        "out b at.z.7+at.a.7 @1\nout a at.q.7+at.p.9 @1\nout - at.n.7 @1\nout c at.first.2 @1\nout x y @100
         out c first.2#1 @2\nout - n.7#1 @7\nout a q.7#1 @7\nout b a.7#1 @7\nout b z.7#2 @7\nout a p.9#2 @9",
    );
}

#[test]
fn a_timer_set_anew_is_replaced_and_a_cancelled_one_does_not_fire() {
    check(
        STEPS,
        "in k at.a.5+at.b.5+at.c.5 @1\nin k at.a.8+off.b+off.nobody @2\nin k x @7\nin k y @8",
        "out k at.a.5+at.b.5+at.c.5 @1\nout k at.a.8+off.b+off.nobody @2\nout k x @7\nout k c.5#1 @5
         out k y @8\nout k a.8#2 @8",
    );
}

#[test]
fn the_same_name_is_another_timer_for_another_key_and_another_clock() {
    check(
        STEPS,
        "in k at.a.5+wat.a.5 @1\nin l at.a.5+wat.a.5 @1\nin k off.a @1\nin k woff.b @9\ntick - - @5",
        "out k at.a.5+wat.a.5 @1\nout l at.a.5+wat.a.5 @1\nout k off.a @1\nout k woff.b @9\nout l a.5#1 @5
         out k wa.5#1 @9\nout l wa.5#2 @9",
    );
}

#[test]
fn a_delay_counts_from_stream_time_also_for_a_late_record() {
    check(
        STEPS,
        "in k x @50\nin k in.a.5 @1\nin k y @54\nin k z @55",
        "out k x @50\nout k in.a.5 @1\nout k y @54\nout k z @55\nout k a.55#1 @55",
    );
}

#[test]
fn a_timer_for_a_past_time_fires_at_once_if_a_record_sets_it_and_after_the_next_record_if_a_timer_does() {
    check(STEPS, "in k at.a.5 @9\nin k at.b.9 @9", "out k at.a.5 @9\nout k a.5#1 @5\nout k at.b.9 @9\nout k b.9#2 @9");
    check(
        STEPS,
        "in k at.again.5 @9\nin x y @1\nin x y @1\nin x y @1",
        "out k at.again.5 @9\nout k again.5#1 @5\nout x y @1\nout k again.5#2 @5\nout x y @1\nout k again.5#3 @5
         out x y @1",
    );
}

#[test]
fn a_timer_may_set_another_one_and_cancel_or_postpone_a_due_one() {
    check(
        STEPS,
        "in k at.chain.5 @1\nin k x @6\nin k y @9",
        "out k at.chain.5 @1\nout k x @6\nout k chain.5#1 @5\nout k y @9\nout k end.9#2 @9",
    );
    check(
        STEPS,
        "in k at.stop.5+at.victim.6+at.z.7 @1\nin k x @9\nin k y @9",
        "out k at.stop.5+at.victim.6+at.z.7 @1\nout k x @9\nout k stop.5#1 @5\nout k z.7#2 @7\nout k y @9",
    );
    check(
        STEPS,
        "in k at.move.5+at.victim.6+at.z.7 @1\nin k x @9\nin k y @9",
        "out k at.move.5+at.victim.6+at.z.7 @1\nout k x @9\nout k move.5#1 @5\nout k z.7#2 @7\nout k y @9
         out k victim.5#3 @5",
    );
}

#[test]
fn a_failed_timer_and_its_writes_are_undone_and_the_dead_letter_has_the_origin_of_its_record() {
    check(
        STEPS,
        "in x y @1\nin k at.bad.5+at.boom.5+at.ok.5 @2\nin x z @7\nin x z @8",
        "out x y @1\nout k at.bad.5+at.boom.5+at.ok.5 @2\nout x z @7\ndead k - @5 bad at step from in/1
         dead k - @5 trap at step from in/1\nout k ok.5#1 @5\nout x z @8",
    );
    check_counts(STEPS, "in k at.bad.5+at.boom.5 @2\nin x z @7", "step dead-lettered bad 1\nstep dead-lettered trap 1");
}

#[test]
fn a_failed_record_sets_and_cancels_no_timers() {
    check(
        STEPS,
        "in k at.a.5 @1\nin k off.a+at.b.5+fail @2\nin k at.a.7+trap @3\nin x y @9",
        "out k at.a.5 @1\ndead k off.a+at.b.5+fail @2 bad at step from in/1
         dead k at.a.7+trap @3 trap at step from in/2\nout x y @9\nout k a.5#1 @5",
    );
}

#[test]
fn timers_of_the_drivers_clock_fire_in_ticks_at_stream_time() {
    check(
        STEPS,
        "tick - - @100\nin k win.a.5+wat.b.300 @7\nin x y @20\ntick - - @104\ntick - - @105\ntick - - @105\ntick - - @400",
        "out k win.a.5+wat.b.300 @7\nout x y @20\nout k wa.105#1 @20\nout k wb.300#2 @20",
    );
}

#[test]
fn a_timer_of_the_drivers_clock_that_sets_itself_for_now_fires_in_the_next_millisecond() {
    check(
        STEPS,
        "in k wat.again.5 @1\ntick - - @9\ntick - - @9\ntick - - @10\ntick - - @50",
        "out k wat.again.5 @1\nout k wagain.5#1 @1\nout k wagain.10#2 @1\nout k wagain.11#3 @1",
    );
}

#[test]
fn a_failed_timer_of_the_drivers_clock_has_the_origin_of_its_record_too() {
    check(
        STEPS,
        "in x y @1\nin k wat.chain.5+wat.boom.6 @2\ntick - - @7\ntick - - @10",
        "out x y @1\nout k wat.chain.5+wat.boom.6 @2\nout k wchain.5#1 @2\ndead k - @2 trap at step from in/1
         out k wend.10#2 @2",
    );
}

#[test]
fn a_record_whose_timer_is_too_large_for_the_store_fails() {
    let limits = Limits { state_bytes: 40, ..Limits::NONE };
    check_within(
        limits,
        STEPS,
        "in k at.name-that-is-too-long.5 @1\nin k at.a.5 @2\nin k x @5",
        "dead k at.name-that-is-too-long.5 @1 state-too-large at step from in/0
         out k at.a.5 @2\nout k x @5\nout k a.5#1 @5",
    );
}

#[test]
fn the_dead_letter_of_a_timer_has_its_name() {
    let mut single = Single::new(STEPS, 1);
    single.offer("in", 7, "at.bad.5", 1, 0);
    single.offer("in", 8, "x", 6, 0);
    let outputs = single.run();
    let letter = outputs.iter().find(|output| output.value.is_none()).unwrap();
    assert_eq!(header(letter, "__streams.errors.message"), "timer `bad`, set for 5: no use");
    assert_eq!(header(letter, "__streams.errors.offset"), "7");
    assert_eq!(header(letter, "millrace-plugin"), "t");
}

#[test]
fn the_first_and_last_timer_of_the_drivers_clock_are_found_after_a_restart() {
    let mut single = Single::new(STEPS, 1);
    let due = |single: &Single| (single.task.next_tick(), single.task.last_tick().unwrap());
    assert_eq!(due(&single), (None, None));
    single.offer("in", 0, "win.a.5+win.b.9+win.c.7+at.d.2000", 1, 1_000);
    assert_eq!(single.run().len(), 1);
    assert_eq!(due(&single), (Some(1_005), Some(1_009)));
    single.commit();
    single.reopen();
    assert_eq!(due(&single), (Some(1_005), Some(1_009)));
    single.offer("in", 1, "woff.b+win.a.8", 1, 1_001);
    single.run();
    assert_eq!(due(&single), (Some(1_007), Some(1_009)));
    assert_eq!(single.tick(1_007).iter().map(value).collect::<Vec<_>>(), ["wc.1007#1"]);
    assert_eq!(due(&single), (Some(1_009), Some(1_009)));
    single.offer("in", 2, "woff.a", 1, 1_008);
    single.run();
    assert_eq!(due(&single), (None, None));
}

#[test]
fn due_timers_beyond_the_limit_fire_in_the_next_tick() {
    let mut single = Single::new(STEPS, 1);
    single.offer("in", 0, "win.a.5+win.b.6+win.c.7+win.d.50", 1, 1_000);
    single.run();
    single.commit();
    single.reopen_firing(2);
    let fired = |single: &mut Single| single.tick(1_020).iter().map(value).collect::<Vec<_>>();
    assert_eq!(fired(&mut single), ["wa.1005#1", "wb.1006#2"]);
    assert_eq!(single.task.next_tick(), Some(1_007));
    assert_eq!(fired(&mut single), ["wc.1007#3"]);
    assert_eq!((fired(&mut single).len(), single.task.next_tick()), (0, Some(1_050)));
}

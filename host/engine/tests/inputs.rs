//! Inputs of a task with uneven backlogs: an empty input blocks the others only while it has a backlog.

#![allow(clippy::indexing_slicing)]

mod support;

use proptest::prelude::*;
use support::{Single, value};

/// A join of all records of one key, an hour and more apart.
const JOIN: &str = "
[[source]]
name = \"left\"
topic = \"left\"
value = \"bytes\"
[[source]]
name = \"right\"
topic = \"right\"
value = \"bytes\"
[[join]]
name = \"step\"
left = \"left\"
right = \"right\"
within = \"90m\"
call = \"t.cat\"
[[sink]]
from = \"step\"
topic = \"out\"
";

const SIDES: [&str; 2] = ["left", "right"];

const HOUR: i64 = 3_600_000;

fn results(single: &mut Single) -> Vec<String> {
    single.run().iter().map(|produced| format!("{} @{}", value(produced), produced.timestamp)).collect()
}

fn offer(single: &mut Single, side: usize, offset: usize, time: i64) {
    single.offer(SIDES[side], offset as i64, format!("{side}.{offset}"), time, 0);
}

#[test]
fn an_empty_input_with_a_backlog_blocks_the_others_and_one_without_does_not() {
    let mut single = Single::new(JOIN, 1);
    single.task.expect_more(0, true);
    single.task.expect_more(1, true);
    offer(&mut single, 0, 0, HOUR);
    assert!(!single.task.ready(), "a record of the right side's backlog could be first");
    offer(&mut single, 1, 0, HOUR + 1);
    assert_eq!(results(&mut single), [""; 0], "a record of the left side's backlog could be first");
    single.task.expect_more(0, false);
    assert_eq!(results(&mut single), [format!("0.0+1.0 @{}", HOUR + 1)]);
    offer(&mut single, 0, 1, HOUR + 2);
    assert!(!single.task.ready());
    single.task.expect_more(1, false);
    assert_eq!(results(&mut single), [format!("0.1+1.0 @{}", HOUR + 2)]);
}

proptest! {
    /// A driver that always knows the backlogs may fetch in any order: first all records of one side, then an hour of
    /// the other.
    #[test]
    fn however_inputs_are_fetched_pairs_are_those_of_their_times(
        times in prop::array::uniform2(prop::collection::vec(0..2 * HOUR, 0..12)),
        fetches in prop::collection::vec((0_usize..2, 1_usize..5), 0..20),
    ) {
        let mut replayed = Single::new(JOIN, 1);
        for (side, times) in times.iter().enumerate() {
            times.iter().enumerate().for_each(|(offset, time)| offer(&mut replayed, side, offset, *time));
        }
        let expected = results(&mut replayed);

        let mut fetched = Single::new(JOIN, 1);
        let (mut next, mut found) = ([0, 0], Vec::new());
        let rest = [(0, usize::MAX), (1, usize::MAX)];
        for (side, records) in fetches.into_iter().chain(rest) {
            let end = times[side].len().min(next[side] + records.min(times[side].len()));
            (next[side]..end).for_each(|offset| offer(&mut fetched, side, offset, times[side][offset]));
            next[side] = end;
            for side in 0..2 {
                fetched.task.expect_more(side, next[side] < times[side].len());
            }
            found.extend(results(&mut fetched));
        }
        prop_assert_eq!(found, expected);
    }
}

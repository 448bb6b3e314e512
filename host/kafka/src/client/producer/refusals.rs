//! Which records of a batch a broker means when it refuses some of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::refusals::RefusedRecord;

/// Finds out which records a broker means, from what librdkafka has made of its answer. The records given here have
/// come back with the code of a refusal, each with the address of the broker's text in memory. Those of a partition are
/// one batch: a batch sent after a refused one is out of order.
///
/// Where several records of a batch were refused, librdkafka gives the others another code, and their partition is
/// among `coded`. Where one was, all come back with its code (librdkafka 2.12.1, `rd_kafka_dr_msgq0`), but that record
/// alone has a text of its own, and the others share one. If all share it, it is about the batch. Where it isn't clear,
/// nothing is known of any record of the batch. Records that the broker doesn't mean are dropped from the result.
pub(super) fn tell_apart(refusals: Vec<(usize, RefusedRecord)>, coded: &BTreeSet<(String, i32)>) -> Vec<RefusedRecord> {
    let mut batches: BTreeMap<(String, i32), Batch> = BTreeMap::new();
    for (words, refusal) in refusals {
        let batch = batches.entry((refusal.topic.clone(), refusal.partition)).or_default();
        batch.entry(words).or_default().push(refusal);
    }
    batches.into_iter().flat_map(|(place, batch)| meant(coded.contains(&place), batch)).collect()
}

/// Refused records of a batch, by the address of their text.
type Batch = BTreeMap<usize, Vec<RefusedRecord>>;

/// The records of a batch that the broker means, or all of them if it isn't clear.
fn meant(is_coded: bool, batch: Batch) -> Vec<RefusedRecord> {
    let is_own = |(words, all): &(&usize, &Vec<RefusedRecord>)| **words != 0 && all.len() == 1;
    let (own, all) = (batch.iter().filter(is_own).count(), batch.values().map(Vec::len).sum::<usize>());
    let is_told_apart = match all {
        1 => true,
        // Two that differ may be one that is meant and one that isn't.
        2 => is_coded,
        _ => is_coded || own > 0,
    };
    let some = is_told_apart && !is_coded && all > 1;
    let kept = batch.into_iter().filter(|(words, all)| !some || is_own(&(words, all)));
    kept.flat_map(|(_, all)| all).map(|refusal| RefusedRecord { is_told_apart, ..refusal }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use millrace_engine::refused::Fingerprint;

    use super::*;

    /// The result for a batch of records with these addresses of texts: their times, and whether the broker means them.
    fn found(words: &[usize], is_coded: bool) -> (Vec<i64>, bool) {
        let record = |time: i64| Fingerprint::of(None, None, time);
        let refusal = |time| RefusedRecord {
            topic: "out".into(),
            partition: 0,
            record: record(time),
            reason: "no".into(),
            is_told_apart: false,
            origin: None,
        };
        let refusals = words.iter().zip(1..).map(|(words, time)| (*words, refusal(time))).collect();
        let coded = is_coded.then(|| ("out".to_owned(), 0)).into_iter().collect();
        let told = tell_apart(refusals, &coded);
        let time = |refusal: &RefusedRecord| (1..9).find(|time| record(*time) == refusal.record).unwrap();
        let mut times: Vec<_> = told.iter().map(time).collect();
        times.sort_unstable();
        (times, told.iter().all(|refusal| refusal.is_told_apart))
    }

    #[test]
    fn the_record_that_a_broker_means_is_told_from_those_that_were_sent_with_it() {
        assert_eq!(found(&[5], false), (vec![1], true), "it was alone");
        assert_eq!(found(&[7, 5, 7, 7], false), (vec![2], true), "one of several");
        assert_eq!(found(&[7, 7, 5], false), (vec![3], true));
        assert_eq!(found(&[5, 6, 8], false), (vec![1, 2, 3], true), "all of them");
        assert_eq!(found(&[5, 6], true), (vec![1, 2], true), "others have another code");
        assert_eq!(found(&[0, 0, 0], true), (vec![1, 2, 3], true));
        assert_eq!(found(&[7, 5], false), (vec![1, 2], false), "one of two");
        assert_eq!(found(&[7, 7, 7], false), (vec![1, 2, 3], false), "the batch");
        assert_eq!(found(&[0, 0, 0], false), (vec![1, 2, 3], false), "without a word");
    }
}

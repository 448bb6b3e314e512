//! Whether all runs had the same results: a digest for each order, from the committed output of each run.

use std::fmt;
use std::fs;

use crate::failure::Failure;
use crate::setup::Setup;

/// Bytes of the digest of an order; all zero when it has no result.
const WIDTH: usize = 8;

/// What the runs so far agree on.
#[derive(Debug)]
pub(crate) struct Digests {
    orders: u64,
    first: Option<(String, Vec<u8>)>,
    runs: usize,
}

impl Digests {
    /// No run yet, over this many orders.
    pub(crate) fn new(orders: u64) -> Self {
        Self { orders, first: None, runs: 0 }
    }

    /// Reads the results of a run, and fails when they are wrong.
    pub(crate) fn read(&mut self, setup: &Setup, run: &str) -> Result<(), Failure> {
        let file = setup.folder.path().join("digests");
        let arguments = [("pairs", self.orders.to_string()), ("out", file.display().to_string())];
        let line = setup.tools.start("results", &arguments)?.outcome()?;
        let digests = fs::read(&file).map_err(Failure::io(file.display().to_string()))?;
        let records = line.number("records").unwrap_or_default() as u64;
        self.add(run, records, digests).map_err(|what| Failure::Wrong { run: run.to_owned(), what })
    }

    /// Each order must have one result, and that of the runs before. Otherwise the error says what is wrong.
    fn add(&mut self, run: &str, records: u64, digests: Vec<u8>) -> Result<(), String> {
        let missing = digests.chunks(WIDTH).filter(|digest| digest.iter().all(|byte| *byte == 0)).count();
        if missing > 0 || records != self.orders {
            return Err(format!("{records} for {} orders, {missing} of which have none", self.orders));
        }
        self.runs += 1;
        let Some((other, expected)) = &self.first else {
            self.first = Some((run.to_owned(), digests));
            return Ok(());
        };
        let pairs = digests.chunks(WIDTH).zip(expected.chunks(WIDTH)).enumerate();
        let differing: Vec<usize> = pairs.filter(|(_, (ours, theirs))| ours != theirs).map(|(id, _)| id).collect();
        match differing.first() {
            Some(id) => Err(format!("{} differ from those of {other}, order {id} first", differing.len())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Results: one for each of {} orders in each run", self.orders)?;
        if self.runs > 1 { write!(f, ", the same in all {}.", self.runs) } else { write!(f, ".") }
    }
}

#[cfg(test)]
mod tests {
    use super::Digests;

    fn digests(orders: &[u64]) -> Vec<u8> {
        orders.iter().flat_map(|digest| digest.to_be_bytes()).collect()
    }

    #[test]
    fn runs_with_the_same_results_agree() {
        let mut all = Digests::new(3);
        assert_eq!(all.add("one", 3, digests(&[7, 8, 9])), Ok(()));
        assert_eq!(all.add("two", 3, digests(&[7, 8, 9])), Ok(()));
        assert_eq!(all.to_string(), "Results: one for each of 3 orders in each run, the same in all 2.");
    }

    #[test]
    fn an_order_without_a_result_is_wrong_even_where_another_has_two() {
        let lost = Digests::new(3).add("one", 3, digests(&[7, 0, 18]));
        assert_eq!(lost, Err("3 for 3 orders, 1 of which have none".into()));
    }

    #[test]
    fn another_result_than_in_the_run_before_is_wrong() {
        let mut all = Digests::new(3);
        assert_eq!(all.add("one", 3, digests(&[7, 8, 9])), Ok(()));
        let other = all.add("two", 3, digests(&[7, 5, 6]));
        assert_eq!(other, Err("2 differ from those of one, order 1 first".into()));
    }
}

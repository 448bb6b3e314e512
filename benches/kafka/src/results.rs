//! Whether all runs had the same results: a number for each, from the committed output of each run.

use std::fmt;
use std::fs;

use crate::failure::Failure;
use crate::pipeline::Compared;
use crate::setup::Setup;
use crate::system::Run;

/// What the runs so far agree on.
#[derive(Debug)]
pub(crate) struct Results {
    compared: Compared,
    /// How many each run must have; nothing if that isn't known before.
    expected: Option<u64>,
    first: Option<(String, Vec<i64>)>,
    runs: usize,
}

/// Why results are wrong, and the number of one of them, if one can be shown.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    what: String,
    example: Option<i64>,
}

impl Results {
    /// No run yet, over this many input records.
    pub(crate) fn new(compared: Compared, records: u64) -> Self {
        let expected = compared.records_for_result.map(|each| records / each);
        Self { compared, expected, first: None, runs: 0 }
    }

    /// Reads the results of a run, and fails when they are wrong.
    pub(crate) fn read(&mut self, setup: &Setup, run: Run) -> Result<(), Failure> {
        let file = setup.folder.path().join("results");
        let arguments = [("out", file.display().to_string())];
        let line = setup.tools.start("results", run.pipeline, &arguments)?.outcome()?;
        let doubled = line.number("doubled").unwrap_or_default() as u64;
        let bytes = fs::read(&file).map_err(Failure::io(file.display().to_string()))?;
        let numbers = bytes.as_chunks().0.iter().map(|number| i64::from_be_bytes(*number)).collect();
        let Err(Wrong { mut what, example }) = self.add(&run.to_string(), doubled, numbers) else { return Ok(()) };
        if let Some(number) = example {
            let line = setup.tools.start("results", run.pipeline, &[("find", number.to_string())])?.outcome()?;
            what += &format!("; one of them: {}", line.text("found").unwrap_or("?"));
        }
        Err(Failure::Wrong { run: run.to_string(), what })
    }

    /// Adds a run, whose numbers are in their order.
    fn add(&mut self, run: &str, doubled: u64, numbers: Vec<i64>) -> Result<(), Wrong> {
        let (count, results) = (numbers.len(), self.compared.results);
        let wrong = |what| Err(Wrong { what, example: None });
        if doubled > 0 {
            return wrong(format!("{doubled} of {count} {results} are about the same as another one"));
        }
        if count == 0 || self.expected.is_some_and(|expected| expected != count as u64) {
            let expected = self.expected.map_or_else(|| "some".to_owned(), |expected| expected.to_string());
            return wrong(format!("{count} {results}, and not {expected}"));
        }
        self.runs += 1;
        let Some((other, expected)) = &self.first else {
            self.first = Some((run.to_owned(), numbers));
            return Ok(());
        };
        let (surplus, missing) = (only_in(&numbers, expected), only_in(expected, &numbers));
        if surplus.is_empty() && missing.is_empty() {
            return Ok(());
        }
        let what = format!(
            "{} of {count} {results} aren't among those of {other}, and {} of {} are missing",
            surplus.len(),
            missing.len(),
            expected.len()
        );
        Err(Wrong { what, example: surplus.first().copied() })
    }
}

/// The numbers of one list that another one lacks. Both are in their order; a number may occur twice.
fn only_in(list: &[i64], other: &[i64]) -> Vec<i64> {
    let mut rest = other.iter().peekable();
    let mut lacking = |number: &&i64| {
        while rest.next_if(|there| there < number).is_some() {}
        rest.next_if_eq(number).is_none()
    };
    list.iter().filter(|number| lacking(number)).copied().collect()
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.first.as_ref().map_or(0, |(_, numbers)| numbers.len());
        write!(f, "Results: {count} {} in each run, none twice", self.compared.results)?;
        if self.runs > 1 { write!(f, ", the same in all {}.", self.runs) } else { write!(f, ".") }
    }
}

#[cfg(test)]
mod tests {
    use super::{Results, only_in};
    use crate::pipeline::ORDERS;

    fn of_orders(records: u64) -> Results {
        Results::new(ORDERS.compared.unwrap_or_else(|| unreachable!("Kafka Streams runs the orders")), records)
    }

    fn refusal(results: &mut Results, doubled: u64, numbers: &[i64]) -> String {
        results.add("two", doubled, numbers.to_vec()).map_or_else(|wrong| wrong.what, |()| "none".into())
    }

    #[test]
    fn runs_with_the_same_results_agree() {
        let mut all = of_orders(6);
        assert_eq!(all.add("one", 0, vec![-7, 8, 9]), Ok(()));
        assert_eq!(all.add("two", 0, vec![-7, 8, 9]), Ok(()));
        assert_eq!(all.to_string(), "Results: 3 orders in each run, none twice, the same in all 2.");
    }

    #[test]
    fn a_lost_result_is_wrong_even_where_another_is_doubled() {
        assert_eq!(refusal(&mut of_orders(6), 0, &[7, 9]), "2 orders, and not 3");
        assert_eq!(refusal(&mut of_orders(6), 1, &[7, 9, 9]), "1 of 3 orders are about the same as another one");
    }

    #[test]
    fn another_result_than_in_the_run_before_is_wrong() {
        let mut all = of_orders(6);
        assert_eq!(all.add("one", 0, vec![7, 8, 9]), Ok(()));
        let text = "1 of 3 orders aren't among those of one, and 1 of 3 are missing";
        assert_eq!(refusal(&mut all, 0, &[5, 8, 9]), text);
    }

    #[test]
    fn a_number_that_occurs_twice_is_lacking_where_it_occurs_once() {
        assert_eq!(only_in(&[1, 2, 2, 4], &[2, 3, 4]), [1, 2]);
        assert!(only_in(&[], &[1]).is_empty());
    }
}

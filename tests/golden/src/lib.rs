//! Golden cases: the outputs of Kafka Streams for single operators and for whole pipelines, and whether ours puts out
//! the same, in every way of running it. See README.md beside this crate.

pub mod agreement;
pub mod case;
pub mod mode;
pub mod op;
pub mod play;
pub mod report;
pub mod rules;

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use case::Case;
use mode::Mode;
use play::Scratch;
use report::Failure;
use rules::Rules;

/// Runs each case in each of the modes. Returns those that failed, in the order of the cases, each in the first mode
/// in which it did.
///
/// # Errors
/// No folder can be made for the databases.
pub fn check<'c>(rules: &Rules, cases: &'c [Case], modes: &[Mode]) -> std::io::Result<Vec<Failure<'c>>> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || -> std::io::Result<()> {
        let mut scratch = Scratch::new()?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(number) else { return Ok(()) };
            if let Some(failure) = check_case(rules, &mut scratch, case, modes) {
                failures.lock().unwrap_or_else(PoisonError::into_inner).push((number, failure));
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(died())))
    })?;
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|(number, _)| *number);
    Ok(failures.into_iter().map(|(_, failure)| failure).collect())
}

fn died() -> std::io::Error {
    std::io::Error::other("a thread that runs cases has panicked")
}

/// The first mode has to agree with Kafka Streams, and all others with the first one to the byte.
fn check_case<'c>(rules: &Rules, scratch: &mut Scratch, case: &'c Case, modes: &[Mode]) -> Option<Failure<'c>> {
    let loaded = match rules.pipeline(&case.subject, modes.len()) {
        Ok(loaded) => loaded,
        Err(refused) => return Some(Failure { case, mode: None, result: Err(refused) }),
    };
    let (mut first, mut failure) = (None, None);
    scratch.play(case, &loaded, modes, |mode, result| {
        let passed = match (&result, &first) {
            (Err(_), _) => false,
            (Ok(outputs), None) => agreement::is_same(case, outputs),
            (Ok(outputs), Some(first)) => outputs == first,
        };
        match result {
            Ok(outputs) if passed => drop(first.get_or_insert(outputs)),
            result => {
                let result = result.map_err(|stopped| chain(&*stopped));
                failure = Some(Failure { case, mode: Some(mode), result });
            }
        }
        passed
    });
    failure
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

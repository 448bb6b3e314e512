//! `just golden FILE...`: runs files of cases, and tells which came out otherwise than from Kafka Streams.

use std::path::PathBuf;
use std::process::ExitCode;

use millrace_golden::mode::Mode;
use millrace_golden::rules::Rules;
use millrace_golden::{case, check};

/// Failures that are shown.
const SHOWN: usize = 5;

/// Restarts after which the database is closed, too.
const CLOSE_EVERY: usize = 8;

fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        eprintln!("usage: golden FILE...\n\nFiles of cases, one JSON object a line; see tests/golden/README.md.");
        return ExitCode::from(2);
    }
    match run(&files) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(files: &[PathBuf]) -> Result<bool, Box<dyn std::error::Error>> {
    let rules = Rules::new()?;
    let mut cases = Vec::new();
    for file in files {
        cases.extend(case::read(file)?);
    }
    let failures = check(&rules, &cases, &Mode::all(CLOSE_EVERY))?;
    for failure in failures.iter().take(SHOWN) {
        println!("{failure}");
    }
    if failures.len() > SHOWN {
        let names: Vec<_> = failures.iter().skip(SHOWN).map(|failure| failure.case.name.as_str()).collect();
        println!("and also: {}\n", names.join(", "));
    }
    println!("{} passed, {} failed", cases.len() - failures.len(), failures.len());
    Ok(failures.is_empty())
}

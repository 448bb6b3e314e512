//! Tests that need Kafka, on machines where it can't run.

use std::fs::File;
use std::io::{self, Write as _};
use std::panic::Location;
use std::path::PathBuf;

use crate::cluster::{Cluster, Options};
use crate::error::Error;

/// A cluster for a test; or nothing where Kafka can't run, and then the test is noted as not run.
///
/// The note is a line on standard error and, where `CARGO_TARGET_DIR` is set, one in the file `kafka-tests-not-run`
/// there, which `just test` shows at its end.
///
/// ```no_run
/// # fn test() -> Result<(), millrace_broker::Error> {
/// let Some(cluster) = millrace_broker::for_test(Default::default())? else { return Ok(()) };
/// # Ok(()) }
/// ```
///
/// # Errors
/// All that isn't a lack of Java or Maven.
#[track_caller]
pub fn for_test(options: Options) -> Result<Option<Cluster>, Error> {
    let place = Location::caller();
    match Cluster::start(options) {
        Ok(cluster) => Ok(Some(cluster)),
        Err(Error::Missing(missing)) => {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            note(&format!("{test} ({}:{}): {missing}\n", place.file(), place.line()))?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn note(line: &str) -> Result<(), Error> {
    // Not with `eprint!`, which the test harness holds back when a test passes.
    _ = io::stderr().write_all(format!("NOT RUN: {line}").as_bytes());
    let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") else { return Ok(()) };
    let path = PathBuf::from(folder).join("kafka-tests-not-run");
    let file = File::options().create(true).append(true).open(&path);
    // In one write, so that lines of several processes don't mix.
    file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(Error::io(path.display().to_string()))
}

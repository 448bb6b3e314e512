//! The flood guard: the app goes back by itself from a version that fails for most records.

use crate::support::until;
use crate::{App, app, records};

const RECORDS: u64 = 20_000;

const HELD: &str = "too many records fail after a deployment: nothing more is dead-lettered, and the input waits for another \
                    version";

/// Runs processes with two workers each, deploys a version that fails while records wait, and checks what becomes of
/// them.
fn flood(app: &App, data: &[&str]) {
    let mut processes: Vec<_> = data.iter().map(|data| app.running(data)).collect();
    app.write(&records(0..2_000));
    until("the first records are processed", || app.results().len() == 2_000);
    app.millrace("deploy swap.toml --plugin swap=swap.wasm --config harm=fail --yes --wait");
    app.write(&records(2_000..RECORDS));
    until("all records are results or letters", || (app.results().len() + app.failed().len()) as u64 >= RECORDS);
    let (results, failed) = (app.results(), app.failed());
    let mut numbers: Vec<_> = results.iter().map(|it| it.number).chain(failed.iter().copied()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..RECORDS).collect::<Vec<_>>(), "each record once");
    // Two steps share the thousand results.
    assert!(failed.len() <= 500 * data.len(), "{} letters of {} processes", failed.len(), data.len());
    eprintln!("{} of {RECORDS} records are letters, with {} processes", failed.len(), data.len());
    let list = app.millrace("deployments list swap.toml");
    let lines: Vec<_> = list.lines().filter(|line| line.starts_with(char::is_numeric)).collect();
    assert!(lines[1].contains(" rolled-back ") && lines[2].contains(" active "), "{list}");
    assert!(lines[2].contains(" rollback ") && lines[2].contains(" millrace@"), "{list}");
    assert!(lines[2].contains("flood guard: "), "{list}");
    assert_eq!(lines.len(), 3, "{list}");
    processes[0].logged(HELD);
    processes[0].logged("the input goes on");
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0));
    }
}

#[test]
fn an_app_with_two_workers_goes_back_from_a_version_that_fails() {
    let Some(app) = app("flooded", 6) else { return };
    flood(&app, &["one"]);
}

#[test]
fn an_app_with_two_processes_goes_back_from_a_version_that_fails() {
    let Some(app) = app("flooded-both", 6) else { return };
    flood(&app, &["one", "two"]);
}

//! The time line of a run.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time for recovery after a fault: a dead member's session times out after 6 s, its transaction after 8 s, and then
/// state has to be restored.
pub const RECOVERY: Duration = Duration::from_secs(20);

/// The faults with their times.
pub struct Timeline {
    start: Instant,
    file: Mutex<File>,
    faults: Mutex<Vec<Span>>,
}

/// A fault that was in effect, from the start of the run; without an end, it still is.
struct Span {
    what: String,
    end: Option<Duration>,
}

impl Timeline {
    /// Starts the time line, with its text in this file.
    pub fn start(path: &Path) -> Self {
        let file = Mutex::new(File::create(path).unwrap());
        Self { start: Instant::now(), file, faults: Mutex::default() }
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Adds an entry.
    pub fn note(&self, text: &str) {
        writeln!(self.file.lock().unwrap(), "{:8.1} s  {text}", self.now().as_secs_f64()).unwrap();
    }

    /// Injects a fault; records its beginning and end.
    pub fn during<T>(&self, what: &str, harm: impl FnOnce() -> T) -> T {
        self.note(what);
        let number = {
            let mut faults = self.faults.lock().unwrap();
            faults.push(Span { what: what.into(), end: None });
            faults.len() - 1
        };
        let done = harm();
        self.faults.lock().unwrap()[number].end = Some(self.now());
        self.note(&format!("over: {what}"));
        done
    }

    /// The last fault, and the time up to which it explains a stop.
    pub fn excused(&self) -> Option<(Duration, String)> {
        let faults = self.faults.lock().unwrap();
        faults.last().map(|span| (span.end.unwrap_or_else(|| self.now()) + RECOVERY, span.what.clone()))
    }

    /// Number of faults.
    pub fn faults(&self) -> usize {
        self.faults.lock().unwrap().len()
    }
}

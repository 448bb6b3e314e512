//! What happened when.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long what a fault has stopped may take to go on after it: a member of the group that is gone is missed after 6 s,
/// its transaction is given up after 8 s, and then state has to be restored.
pub const RECOVERY: Duration = Duration::from_secs(20);

/// A log of what was done, and when.
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
    /// Starts now, with its text in this file.
    pub fn start(path: &Path) -> Self {
        let file = Mutex::new(File::create(path).unwrap());
        Self { start: Instant::now(), file, faults: Mutex::default() }
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Notes something.
    pub fn note(&self, text: &str) {
        writeln!(self.file.lock().unwrap(), "{:8.1} s  {text}", self.now().as_secs_f64()).unwrap();
    }

    /// Does some harm; notes when it began and ended.
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

    /// Until when the last fault explains that something stands still, and which one it is.
    pub fn excused(&self) -> Option<(Duration, String)> {
        let faults = self.faults.lock().unwrap();
        faults.last().map(|span| (span.end.unwrap_or_else(|| self.now()) + RECOVERY, span.what.clone()))
    }

    /// How many faults there were.
    pub fn faults(&self) -> usize {
        self.faults.lock().unwrap().len()
    }
}

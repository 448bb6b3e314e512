//! A command that is running.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Time limit of a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that is running; killed when it goes out of scope.
pub struct Running {
    child: Child,
    log: Receiver<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log }
    }

    /// Waits for the log entry with this message, and returns its fields.
    pub fn logged(&mut self, message: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let line = self.log.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("it never logged `{message}`, but {seen:?}"));
            let fields = serde_json::from_str::<Value>(&line).map(|entry| entry["fields"].clone()).unwrap_or_default();
            if fields["message"] == message {
                return fields;
            }
            seen.push(line);
        }
    }

    /// Waits for a log line with this text, and returns it.
    pub fn logged_with(&mut self, text: &str) -> String {
        self.wait_for(text, |line| line.contains(text)).pop().unwrap()
    }

    /// Waits for a line of the log, and gives all up to it.
    pub fn wait_for(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|line: &String| is_it(line)) {
            let line = self.log.recv_timeout(until.saturating_duration_since(Instant::now()));
            seen.push(line.unwrap_or_else(|_| panic!("it never logged {what}, but {seen:?}")));
        }
        seen
    }

    /// Waits until it has ended, with this code, and gives its last line.
    pub fn ended_with(&mut self, code: i32) -> String {
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let lines: Vec<_> = self.log.iter().collect();
        assert_eq!(status.unwrap().code(), Some(code), "{lines:?}");
        lines.last().cloned().unwrap_or_default()
    }

    /// The remaining lines of its log, up to its end.
    pub fn rest(&mut self) -> Vec<String> {
        self.log.iter().collect()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// `kill -9`. The exit status tells whether it was still alive.
    pub fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    /// Tells it to stop, and waits until it has ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.tell_to_stop();
        self.wait()
    }

    /// Sends SIGTERM, as soon as the process catches it.
    pub fn tell_to_stop(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, as soon as the process catches SIGTERM.
    pub fn signal(&self, name: &str) {
        let id = self.child.id();
        until("it catches SIGTERM", || catches_sigterm(id));
        let told = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
        assert!(told.success());
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("it stops", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process has a handler for SIGTERM; before, the signal just kills it. Only Linux tells; elsewhere, yes.
pub fn catches_sigterm(id: u32) -> bool {
    has_signal(id, "SigCgt:", 15)
}

/// Whether a process ignores SIGHUP. Only Linux tells; elsewhere, yes.
pub fn ignores_sighup(id: u32) -> bool {
    has_signal(id, "SigIgn:", 1)
}

/// Whether a signal is in this set of a process.
fn has_signal(id: u32, set: &str, number: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) else { return true };
    let signals = status.lines().find_map(|line| line.strip_prefix(set)).unwrap_or("0").trim();
    u64::from_str_radix(signals, 16).unwrap() >> (number - 1) & 1 == 1
}

/// Waits for a condition.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

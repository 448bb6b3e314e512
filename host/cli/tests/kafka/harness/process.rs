//! A process of an app, with its log.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::wait::until;
use crate::support::catches_sigterm;

/// A running `millrace run`; killed when it goes out of scope.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a process, with its log in this file.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(Stdio::from(file)).spawn().unwrap();
        Self { child, log: log.to_owned() }
    }

    /// The fields of the log entries so far. A line that is no entry is the field `error`.
    pub fn entries(&self) -> Vec<Value> {
        let text = self.log();
        // The last line may be incomplete.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let entry = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(entry) => entry["fields"].clone(),
            Err(_) => serde_json::json!({ "error": line }),
        };
        whole.lines().map(entry).collect()
    }

    /// The entries with this message.
    pub fn logged(&self, message: &str) -> Vec<Value> {
        self.entries().into_iter().filter(|entry| entry["message"] == message).collect()
    }

    /// The text of its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id() as i32), signal).unwrap();
    }

    /// `kill -9`.
    #[allow(dead_code)] // the soak asks how it has ended
    pub fn kill(self) {
        self.end();
    }

    /// `kill -9`, unless it has ended by itself. Returns its exit status and its log.
    pub fn end(mut self) -> (ExitStatus, String) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        (status, self.log())
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Tells it to stop, waits until it has ended with success, and returns its last log entry.
    pub fn stop(mut self) -> Value {
        // Just after its start, before it has a handler, the signal would kill it.
        until("it catches SIGTERM, or has ended", || catches_sigterm(self.id()) || !self.is_alive());
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "it was asked to stop");
        self.logged("stopped").pop().expect("a process that stops logs its counts")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

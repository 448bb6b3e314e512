//! A process of an app, with its log.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::until;

/// A running `millrace run`; killed when it goes out of scope.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it, with its log in this file.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(Stdio::from(file)).spawn().unwrap();
        Self { child, log: log.to_owned() }
    }

    /// The fields of the entries of its log, so far, and the lines that are no entries as their `error`.
    pub fn entries(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may be half written.
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

    /// How often it has come to run all of its tasks.
    pub fn times_running(&self) -> usize {
        self.logged("state").iter().filter(|entry| entry["to"] == "running").count()
    }

    /// Waits until it has all its tasks open, and has told what that took.
    pub fn wait_until_running(&mut self) {
        let runs = |process: &Self| !process.logged("running").is_empty();
        until("it runs", || runs(self) || !self.is_alive());
        assert!(runs(self), "it ended before it ran");
    }

    /// Waits until a line of its log has this in it.
    pub fn wait_until_it_says(&self, text: &str) {
        until(&format!("it says `{text}`"), || self.says(text));
    }

    /// Waits until it says why a record didn't get into this topic, and not into one whose name begins like it.
    pub fn wait_until_it_says_that_a_write_failed_to(&self, topic: &str) {
        let is_it = |entry: &Value| {
            let reason = entry["reason"].as_str().unwrap_or_default();
            reason.strip_prefix(topic).is_some_and(|rest| rest.starts_with(" ["))
        };
        until(&format!("it says that it can't write to `{topic}`"), || self.entries().iter().any(is_it));
    }

    /// Whether a line of its log has this in it.
    pub fn says(&self, text: &str) -> bool {
        std::fs::read_to_string(&self.log).unwrap_or_default().contains(text)
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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

    /// Asks it to stop, and waits until it has, well. Gives what it says at its end.
    pub fn stop(mut self) -> Value {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "it was asked to stop");
        self.logged("stopped").pop().expect("the last words of a process that stops")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

//! Waits for log entries of a process.

use serde_json::Value;

use super::process::Process;
use super::wait::until;

impl Process {
    /// Number of times that it has begun to run all of its tasks.
    pub fn times_running(&self) -> usize {
        self.logged("state").iter().filter(|entry| entry["to"] == "running").count()
    }

    /// Waits until all its tasks are open, and it has logged how long that took.
    pub fn wait_until_running(&mut self) {
        let runs = |process: &Self| !process.logged("running").is_empty();
        until("it runs", || runs(self) || !self.is_alive());
        assert!(runs(self), "it ended before it ran");
    }

    /// Waits until a line of its log contains this text.
    pub fn wait_until_it_says(&self, text: &str) {
        until(&format!("it says `{text}`"), || self.says(text));
    }

    /// Waits until it logs why a record couldn't be written to exactly this topic.
    pub fn wait_until_it_says_that_a_write_failed_to(&self, topic: &str) {
        let is_it = |entry: &Value| {
            let reason = entry["reason"].as_str().unwrap_or_default();
            reason.strip_prefix(topic).is_some_and(|rest| rest.starts_with(" ["))
        };
        until(&format!("it says that it can't write to `{topic}`"), || self.entries().iter().any(is_it));
    }

    /// Whether a line of its log contains this text.
    pub fn says(&self, text: &str) -> bool {
        self.log().contains(text)
    }
}

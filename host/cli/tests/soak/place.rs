//! The folder of a run: pipeline, data, logs, and files for the analysis of a failure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{guest_named, millrace_in};

const GUESTS: [&str; 2] = ["operators.wasm", "hostile.wasm"];

const PIPELINE: &str = include_str!("pipeline.toml");

/// The folder.
pub struct Place(PathBuf);

impl Place {
    /// Creates the named folder, or a new one in the target folder.
    pub fn new(named: Option<&Path>, seed: u64) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let new = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("soak").join(format!("{seed}-{time}"));
        let folder = named.map_or_else(new, Path::to_owned);
        std::fs::create_dir_all(&folder).unwrap();
        let place = Self(folder.canonicalize().unwrap());
        for guest in GUESTS {
            std::fs::write(place.path(guest), guest_named(guest)).unwrap();
        }
        std::fs::write(place.path("pipeline.toml"), PIPELINE).unwrap();
        place
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The `millrace` command with these words, divided by spaces.
    pub fn command(&self, words: &str) -> Command {
        let mut command = millrace_in(&self.0, words);
        command.env("MILLRACE_LOG", "info");
        command
    }

    /// The pipeline for `replay`, with the partition counts of its inputs.
    pub fn write_pipeline_with_partitions(&self, name: &str, partitions: impl Fn(&str) -> i32) {
        let mut text = String::new();
        let mut in_source = false;
        for line in PIPELINE.lines() {
            if line.starts_with("[[") {
                in_source = matches!(line, "[[source]]" | "[[global-table]]");
            }
            text += line;
            text.push('\n');
            if let (true, Some(topic)) = (in_source, line.strip_prefix("topic = ")) {
                text += &format!("partitions = {}\n", partitions(topic.trim_matches('"')));
            }
        }
        std::fs::write(self.path(name), text).unwrap();
    }
}

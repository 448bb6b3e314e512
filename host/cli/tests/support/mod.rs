//! Shared by the tests of the command: a folder with the orders pipeline, in which the command runs.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod dice;
mod killed;
mod records;
mod running;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub use dice::Dice;
pub use killed::{kill_after, start_unread, wait_for_success};
pub use records::{assert_same, by_topic, keyed, last};
pub use running::{Running, catches_sigterm, ignores_sighup, until};

/// The guest of the orders pipeline.
const GUEST: &str = "order_status.wasm";

/// A temporary folder with `orders.toml` and its guest. Commands run in it, so that messages have relative paths.
pub struct Place {
    folder: TempDir,
}

/// The output of a command.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write("orders.toml", std::fs::read(repository().join("pipelines/orders.toml")).unwrap());
        place.write(GUEST, guest());
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The command with these arguments, separated by spaces.
    pub fn command(&self, words: &str) -> Command {
        let mut command = millrace_in(self.folder.path(), words);
        command.env("COLUMNS", "100").env_remove("MILLRACE_LOG");
        command
    }

    /// Runs the command to its end.
    pub fn millrace(&self, words: &str) -> Said {
        self.command(words).output().unwrap().into()
    }

    /// The same with this as its standard input.
    pub fn millrace_with(&self, words: &str, input: &str) -> Said {
        let mut command = self.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        // A command that refuses its input early leaves the rest unread.
        let _ = writer.join().unwrap();
        output.into()
    }

    /// Starts the command and leaves it running.
    pub fn start(&self, words: &str) -> Running {
        Running::start(self.command(words))
    }

    /// Creates the topics of the orders pipeline.
    pub fn create_topics(&self, data: &str, partitions: u32) {
        for topic in ["payment-orders", "stock-orders", "orders", "recovererDLQ"] {
            self.millrace(&format!("topic create {topic} --data {data} --partitions {partitions} --key i64")).good();
        }
    }
}

impl Said {
    /// Its standard output; panics if it has failed.
    pub fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    /// The exit code and the text on standard error, with that on standard output if there is any.
    pub fn bad(self) -> String {
        let out =
            if self.out.is_empty() { String::new() } else { format!("\nstandard output: {}", self.out.trim_end()) };
        format!(
            "exit {}: {}{out}",
            self.code.map_or("by signal".to_owned(), |code| code.to_string()),
            self.err.trim_end()
        )
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The command with these words, divided by spaces, in a folder.
pub fn millrace_in(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command
        .args(words.split_whitespace())
        .current_dir(folder)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null());
    command
}

/// The root of the checkout.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The sample input, line by line.
pub fn sample() -> String {
    std::fs::read_to_string(repository().join("samples/orders.jsonl")).unwrap()
}

/// The rule of the orders pipeline as WebAssembly.
pub fn guest() -> Vec<u8> {
    guest_named(GUEST)
}

/// A plugin as WebAssembly.
pub fn guest_named(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("MILLRACE_GUESTS").map(PathBuf::from);
    let path = folder.map(|folder| folder.join(name));
    match path.as_ref().map(std::fs::read) {
        Some(Ok(bytes)) => bytes,
        Some(Err(error)) => panic!("{}: {error}; `./justw guests` builds it", path.unwrap().display()),
        None => {
            panic!("MILLRACE_GUESTS names no folder of guests; `./justw guests` builds them, `./justw test` sets it")
        }
    }
}

/// A copy of a folder, with what is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

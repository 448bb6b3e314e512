//! A process of ours that speaks in lines of JSON.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// How long a process may take to end when told so.
const TO_STOP: Duration = Duration::from_secs(60);

/// Where a process says what it has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// A tool: on standard output.
    Output,
    /// What is measured: in its log, on standard error.
    Log,
}

/// A line that was JSON.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// When it was read.
    pub(crate) at: Instant,
    fields: Map<String, Value>,
}

impl Line {
    /// Reads a line. A logger may put what was said one level deeper.
    fn parse(text: &str) -> Option<Self> {
        let Value::Object(mut fields) = serde_json::from_str(text).ok()? else { return None };
        if let Some(Value::Object(inner)) = fields.remove("fields") {
            fields = inner;
        }
        Some(Self { at: Instant::now(), fields })
    }

    /// A text in it.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// A number in it.
    pub(crate) fn number(&self, field: &str) -> Option<f64> {
        self.fields.get(field)?.as_f64()
    }

    /// Whether it says yes to something.
    pub(crate) fn says(&self, field: &str) -> bool {
        self.fields.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    fn is(&self, message: &str) -> bool {
        self.fields.get("message").and_then(Value::as_str) == Some(message)
    }
}

/// A running process. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<Line>,
    log: PathBuf,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Process {
    /// Starts a process whose standard error goes to a file.
    pub(crate) fn start(name: &str, mut command: Command, voice: Voice, log: &Path) -> Result<Self, Failure> {
        let started = Instant::now();
        let mut file = File::create(log).map_err(Failure::io(log.display().to_string()))?;
        command.stdin(Stdio::null());
        match voice {
            Voice::Output => command.stdout(Stdio::piped()).stderr(file.try_clone().map_err(Failure::io("the log"))?),
            Voice::Log => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(Failure::io(program))?;
        let pipe: Option<Box<dyn Read + Send>> = match voice {
            Voice::Output => child.stdout.take().map(|pipe| Box::new(pipe) as _),
            Voice::Log => child.stderr.take().map(|pipe| Box::new(pipe) as _),
        };
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).lines().map_while(Result::ok));
            for line in lines {
                if voice == Voice::Log {
                    // Only for whoever looks into it later: no reason to stop reading.
                    _ = writeln!(file, "{line}");
                }
                Line::parse(&line).map(|line| sender.send(line));
            }
        });
        Ok(Self { name: name.to_owned(), child, lines, log: log.to_owned(), started })
    }

    /// Number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line, or none for some time. That the process has ended is a failure.
    pub(crate) fn next(&mut self, wait: Duration) -> Result<Option<Line>, Failure> {
        match self.lines.recv_timeout(wait) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.has_ended()),
        }
    }

    /// Waits for a message in the log.
    pub(crate) fn wait_for(&mut self, message: &'static str, patience: Duration) -> Result<Line, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now()))? {
                Some(line) if line.is(message) => return Ok(line),
                Some(_) => {}
                None => return Err(self.stalled("hasn't come to run", patience)),
            }
        }
    }

    /// Fails when the process has ended.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().map_err(Failure::io(self.name.as_str()))? {
            Some(_) => Err(self.has_ended()),
            None => Ok(()),
        }
    }

    /// Asks it to stop, waits until it has, and returns its last word, where it says what it has done.
    pub(crate) fn stop(mut self) -> Result<Option<Line>, Failure> {
        self.signal(Signal::SIGTERM)?;
        let mut last = None;
        let deadline = Instant::now() + TO_STOP;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.is("stopped") => last = Some(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Err(self.stalled("hasn't stopped", TO_STOP)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.child.wait().map_err(Failure::io(self.name.as_str()))?;
        Ok(last)
    }

    /// The last line of a process that ends by itself, and has done what it was to do.
    pub(crate) fn outcome(mut self) -> Result<Line, Failure> {
        let last = self.lines.iter().last();
        let status = self.child.wait().map_err(Failure::io(self.name.as_str()))?;
        last.filter(|_| status.success()).ok_or_else(|| self.has_ended())
    }

    /// Waits until it has ended, however.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.lines.iter().for_each(drop);
        self.child.wait().map(|_| ()).map_err(Failure::io(self.name.as_str()))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = Pid::from_raw(self.pid().cast_signed());
        kill(pid, signal).map_err(|error| Failure::Io { what: self.name.clone(), source: error.into() })
    }

    /// That it lives and gets nowhere.
    pub(crate) fn stalled(&self, what: &'static str, patience: Duration) -> Failure {
        Failure::Stalled { name: self.name.clone(), what, seconds: patience.as_secs(), log: self.end_of_log() }
    }

    fn has_ended(&mut self) -> Failure {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        Failure::Ended { name: self.name.clone(), status, log: self.end_of_log() }
    }

    fn end_of_log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(20)).map(|line| format!("  {line}\n")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing more can be done about one that can't be killed; one that has ended isn't there any more.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Line;

    #[test]
    fn what_was_said_may_lie_one_level_deeper() {
        let flat = r#"{"message":"stopped","commits":3}"#;
        let deep = r#"{"level":"INFO","fields":{"message":"stopped","commits":3}}"#;
        for text in [flat, deep] {
            let line = Line::parse(text).unwrap();
            assert!(line.is("stopped"));
            assert_eq!(line.number("commits"), Some(3.0));
        }
        assert!(Line::parse("restoring").is_none());
    }
}

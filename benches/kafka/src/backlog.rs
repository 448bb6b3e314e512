//! A backlog that is worked off, and the state that this leaves.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::failure::Failure;
use crate::figures::{Half, Restored, Spent};
use crate::pipeline::Pipeline;
use crate::process::{Process, Voice};
use crate::setup::{self, Setup};
use crate::system::{Run, System};
use crate::tell;
use crate::tools::Keep;
use crate::usage;

/// How long a system may commit nothing before it counts as stuck.
const STALL: Duration = Duration::from_secs(120);
/// How long state may take to come back.
const TO_RESTORE: Duration = Duration::from_secs(600);
/// How often the system is looked at while nothing new is committed.
const LOOK: Duration = Duration::from_millis(500);

/// The loaded input.
#[derive(Debug)]
pub(crate) struct Backlog<'a> {
    setup: &'a Setup,
    pipeline: Pipeline,
}

/// Where a run was at some moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    committed: u64,
    cpu: Duration,
}

/// Where a run was on its way, and at the end.
#[derive(Clone, Copy, Debug)]
struct Marks {
    half: Option<Mark>,
    input: Option<Mark>,
    done: Mark,
}

impl<'a> Backlog<'a> {
    /// Loads the input of a pipeline.
    pub(crate) fn load(setup: &'a Setup, pipeline: Pipeline) -> Result<Self, Failure> {
        setup.tools.reset(pipeline, Keep::Nothing)?;
        tell(&format!("loading {} records for {}", setup.options.records(), pipeline.name));
        let arguments = [("records", setup.options.records()), ("seed", setup.options.seed.into())];
        setup.tools.start("load", pipeline, &arguments.map(|(name, value)| (name, value.to_string())))?.outcome()?;
        Ok(Self { setup, pipeline })
    }

    fn records(&self) -> u64 {
        self.setup.options.records()
    }

    /// Runs a system until it has committed everything, and stops it.
    pub(crate) fn work_off(&self, run: Run, state: &Path) -> Result<Spent, Failure> {
        tell(&format!("{run}, over {} records", self.records()));
        self.setup.tools.reset(self.pipeline, Keep::Input)?;
        let mut lag = self.setup.tools.start("lag", self.pipeline, &[("group", run.group().to_owned())])?;
        // The JVM of the tool is up before the clock runs.
        if lag.next(STALL)?.is_none() {
            return Err(lag.stalled("hasn't begun", STALL));
        }
        let broker = self.setup.broker_cpu()?;
        let mut process = run.start(self.setup, state)?;
        let profiler = self.profile(run, &process)?;
        let marks = self.follow(&mut lag, &mut process)?;
        let broker_cpu = self.setup.broker_cpu()?.saturating_sub(broker);
        if let Some(profiler) = profiler {
            profiler.signal(Signal::SIGINT)?;
            profiler.end()?;
        }
        let (started, peak_memory) = (process.started, usage::peak_memory(process.pid())?);
        let last = process.stop()?;
        let said = |field| last.as_ref().and_then(|line| line.number(field));
        Ok(Spent {
            records: self.records(),
            wall: marks.done.at - started,
            cpu: marks.done.cpu,
            broker_cpu,
            peak_memory,
            second_half: marks.second_half(),
            commits: said("commits"),
            commit_p50: said("commit_p50_ms"),
            commit_p99: said("commit_p99_ms"),
        })
    }

    /// Watches what is committed until that is all.
    fn follow(&self, lag: &mut Process, process: &mut Process) -> Result<Marks, Failure> {
        let (mut half, mut input) = (None, None);
        let mut progress = Instant::now();
        loop {
            let Some(line) = lag.next(LOOK)? else {
                process.check()?;
                if progress.elapsed() > STALL {
                    return Err(process.stalled("has committed nothing", STALL));
                }
                continue;
            };
            progress = line.at;
            let committed = line.number("committed").unwrap_or_default() as u64;
            let mark = Mark { at: line.at, committed, cpu: usage::cpu(process.pid())? };
            if half.is_none() && committed >= self.records() / 2 {
                half = Some(mark);
            }
            if input.is_none() && committed >= self.records() {
                input = Some(mark);
            }
            if line.says("done") {
                return Ok(Marks { half, input, done: mark });
            }
        }
    }

    /// Starts a system without its state, and stops it when all of that is back.
    pub(crate) fn restore(&self, run: Run, state: &Path) -> Result<Restored, Failure> {
        tell(&format!("{run}, restoring"));
        setup::remove(state)?;
        let mut process = run.start(self.setup, state)?;
        let running = process.wait_for("running", TO_RESTORE)?;
        let until_running = running.at - process.started;
        let last = process.stop()?;
        let said = |field| last.as_ref().and_then(|line| line.number(field));
        Ok(Restored { records: said("restored"), millis: said("restore_ms"), until_running })
    }

    /// Has perf look at Millrace, if asked for and perf is there.
    fn profile(&self, run: Run, process: &Process) -> Result<Option<Process>, Failure> {
        if !self.setup.options.profile || run.system != System::Millrace {
            return Ok(None);
        }
        let file = profile_file(run);
        let mut command = Command::new("perf");
        command.args(["record", "-F", "199", "-g", "-p", &process.pid().to_string(), "-o"]).arg(&file);
        let log = self.setup.folder.path().join("perf.log");
        match Process::start("perf", command, Voice::Output, &log) {
            Err(Failure::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                tell("no profile: perf is not installed");
                Ok(None)
            }
            started => {
                tell(&format!("profile: perf report -i {}", file.display()));
                started.map(Some)
            }
        }
    }
}

impl Marks {
    /// From the moment when half of the input was committed until all of it was.
    fn second_half(&self) -> Option<Half> {
        let (half, input) = (self.half?, self.input?);
        let (wall, records) = (input.at - half.at, input.committed - half.committed);
        (records > 0 && !wall.is_zero()).then(|| Half { records, wall, cpu: input.cpu - half.cpu })
    }
}

/// Outlives the program: somebody will want to look at it.
fn profile_file(run: Run) -> PathBuf {
    std::env::temp_dir().join(format!("millrace-bench-{}-{}.perf", run.pipeline.name, run.threads))
}

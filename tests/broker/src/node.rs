//! One node: a folder with its data, and while it runs, a process.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::Error;
use crate::java::{self, LIGHTLY_COMPILED};
use crate::settings::Address;

/// Becomes the command in its arguments, and leaves a watcher behind: when the other end of standard input is closed
/// without a line, which is what the death of its owner does, the command is killed and its folder removed. With a
/// line before the end, the watcher only goes.
const WATCHED: &str = r#"
exec 3<&0
{ read -r _ || { kill -9 $$; rm -rf "$0" || rm -rf "$0"; rmdir "${0%/*}"; } 2>/dev/null; } <&3 &
exec "$@" </dev/null 3<&-
"#;

/// How much of a log an error shows.
const LINES_OF_LOG: usize = 40;

/// Longer than any start or stop takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A broker that is a controller too.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: Address,
    folder: PathBuf,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// See `WATCHED`.
    lifeline: ChildStdin,
}

impl Node {
    /// A node with its settings, in a folder that isn't there yet. Its data are formatted by [`Node::format`].
    pub(crate) fn new(address: Address, folder: PathBuf, properties: &str) -> Result<Self, Error> {
        fs::create_dir_all(&folder).map_err(Error::io(folder.display().to_string()))?;
        let node = Self { address, folder, process: None };
        let file = node.properties();
        fs::write(&file, properties).map_err(Error::io(file.display().to_string()))?;
        Ok(node)
    }

    /// Where the data belong.
    pub(crate) fn data(folder: &Path) -> PathBuf {
        folder.join("data")
    }

    /// Begins to format the data; the node has finished when [`Node::wait`] returns.
    pub(crate) fn begin_format(&mut self, cluster: &str, voters: &str, more: &[String]) -> Result<(), Error> {
        let properties = self.properties().to_string_lossy().into_owned();
        let mut args = [LIGHTLY_COMPILED, "kafka.tools.StorageTool", "format"].map(str::to_owned).to_vec();
        args.extend(["-t", cluster, "--initial-controllers", voters, "-c", &properties].map(str::to_owned));
        args.extend_from_slice(more);
        self.spawn(&args)
    }

    /// Begins to run the broker. It isn't ready yet.
    pub(crate) fn begin(&mut self, jvm: &[String]) -> Result<(), Error> {
        if self.process.is_some() {
            return Err(self.wrong("runs already"));
        }
        // The collector is what Kafka's own scripts choose.
        let mut args = jvm.to_vec();
        args.extend(["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "kafka.Kafka"].map(str::to_owned));
        args.push(self.properties().to_string_lossy().into_owned());
        self.spawn(&args)
    }

    fn spawn(&mut self, args: &[String]) -> Result<(), Error> {
        let path = self.log();
        let log = File::options().create(true).append(true).open(&path);
        let log = log.map_err(Error::io(path.display().to_string()))?;
        let both = log.try_clone().map_err(Error::io("a second handle of the log"))?;
        let mut command = Command::new("sh");
        command.args(["-c", WATCHED]).arg(&self.folder).args(java::command(&self.folder)?).args(args);
        command.stdin(Stdio::piped()).stdout(log).stderr(both).current_dir(&self.folder);
        // Ctrl-C in a terminal is for the owner of the cluster; with it, the watcher would go before the broker.
        command.process_group(0);
        let mut child = command.spawn().map_err(Error::io("sh"))?;
        let lifeline = child.stdin.take().ok_or_else(|| self.wrong("has no standard input"))?;
        self.process = Some(Process { child, lifeline });
        Ok(())
    }

    /// SIGKILL, and waits until the process is gone.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        let mut process = self.process.take().ok_or_else(|| self.wrong("doesn't run"))?;
        process.child.kill().map_err(Error::io("kill a broker"))?;
        process.dismiss_watcher();
        process.child.wait().map_err(Error::io("wait for a broker"))?;
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        let process = self.process.as_ref().ok_or_else(|| self.wrong("doesn't run"))?;
        let pid = Pid::from_raw(i32::try_from(process.child.id()).unwrap_or_default());
        kill(pid, signal).map_err(|errno| Error::io(format!("{signal} to a broker"))(errno.into()))
    }

    /// Halts the process, and returns when all of its threads stand: the signal takes a moment to reach them.
    pub(crate) fn halt(&self) -> Result<(), Error> {
        self.signal(Signal::SIGSTOP)?;
        let deadline = Instant::now() + PATIENCE;
        while !self.stands()? {
            self.pause_before(deadline, "has not halted")?;
        }
        Ok(())
    }

    fn stands(&self) -> Result<bool, Error> {
        let process = self.process.as_ref().ok_or_else(|| self.wrong("doesn't run"))?;
        let threads = format!("/proc/{}/task", process.child.id());
        for thread in fs::read_dir(&threads).map_err(Error::io("look at a broker's threads"))? {
            let thread = thread.map_err(Error::io("look at a broker's threads"))?;
            // A thread that has ended meanwhile does nothing any more.
            let Ok(state) = fs::read_to_string(thread.path().join("stat")) else { continue };
            // The name before it is in brackets, and may have any characters.
            if !state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            self.pause_before(deadline, "has not ended")?;
        }
    }

    /// How the process ended, if it did; from then on, the node doesn't run.
    fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        let Some(process) = &mut self.process else { return Err(self.wrong("doesn't run")) };
        let status = process.child.try_wait().map_err(Error::io("wait for a broker"))?;
        if status.is_some()
            && let Some(mut process) = self.process.take()
        {
            process.dismiss_watcher();
        }
        Ok(status)
    }

    /// The number of its process; an error when it has none, or it has ended although nobody told it to.
    pub(crate) fn check(&mut self) -> Result<u32, Error> {
        if let Some(status) = self.ended()? {
            return Err(self.has_ended(status));
        }
        self.process.as_ref().map(|process| process.child.id()).ok_or_else(|| self.wrong("doesn't run"))
    }

    pub(crate) fn has_ended(&self, status: ExitStatus) -> Error {
        Error::Ended { what: self.to_string(), status: status.to_string(), log: self.end_of_log() }
    }

    /// Waits a little for a condition that polls; an error after the deadline.
    pub(crate) fn pause_before(&self, deadline: Instant, what: &str) -> Result<(), Error> {
        if Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            return Ok(());
        }
        Err(Error::TooLate { what: format!("{self} {what}"), seconds: PATIENCE.as_secs(), log: self.end_of_log() })
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    fn wrong(&self, state: &'static str) -> Error {
        Error::Node { node: self.address.id, state }
    }

    fn properties(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let skipped = log.lines().count().saturating_sub(LINES_OF_LOG);
        log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {} (port {})", self.address.id, self.address.port)
    }
}

impl Process {
    /// To be called before nobody knows any more whose number the process's number is.
    fn dismiss_watcher(&mut self) {
        // Fails only when the watcher is gone.
        _ = self.lifeline.write_all(b"\n");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nobody could be told of a failure; the watcher kills the process in any case.
        _ = self.kill();
    }
}

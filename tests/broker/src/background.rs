//! A cluster that outlives the command that started it: one process holds it, and does what it is told on a socket.
//!
//! The holder is the owner of the brokers as a test is. So there is no list of process numbers that could be out of
//! date: when nobody answers on the socket, nothing runs.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use millrace_broker::{Cluster, Options};
use thiserror::Error;

/// What the holder writes when all brokers answer, before their addresses.
const READY: &str = "ready ";
const STATUS: &str = "status";
const DOWN: &str = "down";

/// Why a command did nothing.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("a cluster runs already, at {0}; stop it first: ./justw kafka down")]
    RunsAlready(String),
    #[error("another one is being started")]
    UnderWay,
    #[error("no cluster runs; start one: ./justw kafka up")]
    NothingRuns,
    #[error("{0}")]
    DidNotStart(String),
    #[error(transparent)]
    Cluster(#[from] millrace_broker::Error),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what: what.into(), source }
}

/// Starts a holder with these arguments of `millrace-broker`; returns the bootstrap servers when they answer.
pub(crate) fn up(folder: &Path, arguments: &[OsString]) -> Result<String, Error> {
    match status(folder) {
        Ok(state) => return Err(Error::RunsAlready(state.lines().next().unwrap_or_default().into())),
        Err(Error::NothingRuns) => {}
        Err(error) => return Err(error),
    }
    fs::create_dir_all(folder).map_err(io(folder.display().to_string()))?;
    let log = folder.join("log");
    let stderr = File::create(&log).map_err(io(log.display().to_string()))?;
    let mut holder = Command::new(std::env::current_exe().map_err(io("this program"))?);
    holder.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    // Neither Ctrl-C nor a terminal that is closed is meant for it.
    holder.process_group(0);
    let holder = holder.spawn().map_err(io("this program"))?;
    let mut line = String::new();
    if let Some(stdout) = holder.stdout {
        BufReader::new(stdout).read_line(&mut line).map_err(io("the answer of the background process"))?;
    }
    match line.trim_end().strip_prefix(READY) {
        Some(bootstrap) => Ok(bootstrap.into()),
        None => {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let said = said.trim_end();
            // It speaks in the name of the same program.
            Err(Error::DidNotStart(said.strip_prefix("millrace-broker: ").unwrap_or(said).into()))
        }
    }
}

/// The bootstrap servers, then a line for each node.
pub(crate) fn status(folder: &Path) -> Result<String, Error> {
    ask(folder, STATUS)
}

/// Stops the cluster and removes its data. Has nothing to say, nor to do when no cluster runs.
pub(crate) fn down(folder: &Path) -> Result<String, Error> {
    match ask(folder, DOWN) {
        Err(Error::NothingRuns) => Ok(String::new()),
        answer => answer,
    }
}

/// Returns what the holder answers until it closes the connection.
fn ask(folder: &Path, question: &str) -> Result<String, Error> {
    let Ok(mut stream) = UnixStream::connect(socket(folder)) else { return Err(Error::NothingRuns) };
    let mut answer = String::new();
    writeln!(stream, "{question}")
        .and_then(|()| stream.read_to_string(&mut answer))
        .map_err(io("the cluster's socket"))?;
    Ok(answer)
}

/// Holds a cluster until it is told to let go.
pub(crate) fn hold(folder: &Path, options: Options) -> Result<String, Error> {
    let lock = folder.join("lock");
    let held = File::create(&lock).map_err(io(lock.display().to_string()))?;
    held.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::UnderWay,
        TryLockError::Error(source) => Error::Io { what: lock.display().to_string(), source },
    })?;
    let mut cluster = Cluster::start(options)?;
    // One of a holder that was killed; the lock says that there is no other.
    _ = fs::remove_file(socket(folder));
    let listener = UnixListener::bind(socket(folder)).map_err(io(socket(folder).display().to_string()))?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{READY}{}", cluster.bootstrap()).and_then(|()| stdout.flush()).map_err(io("standard output"))?;
    for stream in listener.incoming() {
        let mut stream = stream.map_err(io("the cluster's socket"))?;
        let mut question = String::new();
        // Who goes away before the end of a question or an answer has none to be told of.
        if BufReader::new(&stream).read_line(&mut question).is_err() {
            continue;
        }
        match question.trim_end() {
            STATUS => _ = stream.write_all(describe(&mut cluster).as_bytes()),
            DOWN => {
                _ = fs::remove_file(socket(folder));
                drop(cluster);
                drop(held);
                // Closed last: the one who asked waits for it, and may start another cluster at once.
                drop(stream);
                break;
            }
            _ => {}
        }
    }
    Ok(String::new())
}

fn describe(cluster: &mut Cluster) -> String {
    let mut lines = vec![cluster.bootstrap()];
    for node in 0..cluster.nodes() {
        lines.push(match cluster.check(node) {
            Ok(pid) => format!("node {node}: up, process {pid}"),
            Err(error) => format!("node {node}: down: {error}"),
        });
    }
    lines.join("\n")
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

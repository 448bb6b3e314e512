//! The command, and that nothing is left behind by whoever holds a cluster.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use millrace_broker::{Options, available, for_test};
use tempfile::TempDir;

/// `millrace-broker`, with its state and all data in a folder of this test.
fn broker(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-broker"));
    command.env("TMPDIR", folder).arg("--run-dir").arg(folder);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim_end()
}

fn run(folder: &Path, verb: &[&str]) -> Output {
    broker(folder).args(verb).output().unwrap()
}

/// A port that is free now, for a test that needs Kafka; or nothing, and the test is noted.
#[track_caller]
fn free_port() -> Option<String> {
    if available().is_err() {
        // Doesn't start anything: it only notes.
        assert!(for_test(Options::default()).unwrap().is_none());
        return None;
    }
    // Not one that is given to outgoing connections, and another one for each test.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = 12_000 + u16::try_from(std::process::id() % 7_000).unwrap();
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut candidates = (0..1_000).map(|_| begin + NEXT.fetch_add(1, Ordering::Relaxed));
    candidates.find(free).map(|port| port.to_string())
}

fn is_empty_of_data(folder: &Path) -> bool {
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    !names.into_iter().any(|name| name.starts_with("millrace-kafka-"))
}

/// Whatever becomes of a test, its cluster doesn't outlive it.
struct Down<'a>(&'a Path);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        run(self.0, &["down"]);
    }
}

fn eventually(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to be");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_cluster_runs_from_up_to_down() {
    let Some(port) = free_port() else { return };
    let (folder, bootstrap) = (TempDir::new().unwrap(), format!("127.0.0.1:{port}"));
    let folder = folder.path();
    assert!(text(&run(folder, &["status"]).stderr).contains("no cluster runs"));

    let _down = Down(folder);
    let up = run(folder, &["up", "--port", &port, "--heap", "512m"]);
    assert_eq!(text(&up.stdout), bootstrap, "{}", text(&up.stderr));
    let again = run(folder, &["up", "--port", &port]);
    assert_eq!((text(&again.stdout), text(&again.stderr)), (&*bootstrap, "millrace-broker: it runs already"));
    let other = run(folder, &["up", "--port", &port, "--nodes", "3"]);
    assert!(!other.status.success());
    assert!(text(&other.stderr).contains("a cluster runs already"));
    let status = run(folder, &["status"]);
    assert!(text(&status.stdout).starts_with(&format!("{bootstrap}\nnode 0: up, process ")));

    assert!(run(folder, &["down"]).status.success());
    let up = run(folder, &["up", "--port", &port, "--heap", "512m"]);
    assert_eq!(text(&up.stdout), bootstrap, "{}", text(&up.stderr));
    assert!(run(folder, &["down"]).status.success());
    assert!(TcpStream::connect(&*bootstrap).is_err());
    assert!(is_empty_of_data(folder));
    assert!(!run(folder, &["status"]).status.success());
    assert!(run(folder, &["down"]).status.success());
}

#[test]
fn a_port_in_use_is_told_by_up() {
    if free_port().is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let up = run(folder.path(), &["up", "--port", &port.to_string()]);
    assert!(!up.status.success());
    let said = format!("millrace-broker: port {port} is in use by another process: choose another one");
    assert_eq!(text(&up.stderr), said);
}

#[test]
fn brokers_and_their_data_go_with_an_owner_that_is_killed() {
    let Some(port) = free_port() else { return };
    let (folder, bootstrap) = (TempDir::new().unwrap(), format!("127.0.0.1:{port}"));
    let mut holder = broker(folder.path());
    let holder = holder.args(["hold", "--heap", "512m", "--port", &port]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line.trim_end() != format!("ready {bootstrap}") {
        holder.stderr.take().unwrap().read_to_string(&mut line).unwrap();
    }
    assert_eq!(line.trim_end(), format!("ready {bootstrap}"));
    assert!(!is_empty_of_data(folder.path()));

    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually(|| TcpStream::connect(&*bootstrap).is_err());
    eventually(|| is_empty_of_data(folder.path()));
    // What it left of itself is in nobody's way.
    assert!(text(&run(folder.path(), &["status"]).stderr).contains("no cluster runs"));
}

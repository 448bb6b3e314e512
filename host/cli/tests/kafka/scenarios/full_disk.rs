//! A data folder on a disk that is full for a while.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Kafka, Process, shared_broker, until};
use crate::support::millrace_in;

const PIPELINE: &str = r#"
app = "full"

[[source]]
name = "in"
topic = "full-in"
key = "i64"

[[table]]
name = "rows"
from = "in"
"#;

/// Number of rows: more than fit on the disk at first.
const ROWS: usize = 60;
const ROW_BYTES: usize = 500_000;

/// A small disk in memory.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&path).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            std::io::stderr().write_all(b"skipped: mounting a small disk needs root\n").unwrap();
        }
        mounted.then_some(Self(path))
    }

    fn enlarge(&self) {
        let remount = Command::new("mount").args(["-o", "remount,size=256m"]).arg(&self.0).status().unwrap();
        assert!(remount.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn command(folder: &Path, broker: &str, words: &str) -> Command {
    let mut command = millrace_in(folder, &format!("{words} --kafka {broker}"));
    command.env("MILLRACE_LOG", "info");
    command
}

/// Rows that can't be compressed.
fn feed(folder: &Path, broker: &str) {
    let mut write = command(folder, broker, "topic write full-in --key i64");
    let mut child = write.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut dice = crate::support::Dice::new(16);
    for key in 0..ROWS {
        let text: String = (0..ROW_BYTES).map(|_| char::from(b'0' + dice.below(75) as u8)).collect();
        let text = text.replace('\\', "/");
        writeln!(input, r#"{{"key":{key},"value":"{text}"}}"#).unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_process_waits_while_its_disk_is_full_and_loses_nothing() {
    let Some(broker) = shared_broker() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path().join("data")) else { return };
    let kafka = Kafka::new(&broker, "full");
    kafka.create("full-in", 1, &[]);
    std::fs::write(folder.path().join("full.toml"), PIPELINE).unwrap();
    feed(folder.path(), &broker);

    let run = command(folder.path(), &broker, "run full.toml --data data");
    let mut process = Process::start(run, &folder.path().join("log"));
    process.wait_until_it_says("no space left on the disk");
    assert!(process.is_alive(), "{:?}", process.entries().last());
    disk.enlarge();
    until("all is done", || {
        let (ends, positions) = (kafka.ends("full-in", 1).unwrap(), kafka.positions("full-in", 1).unwrap());
        assert!(process.is_alive(), "{:?}", process.entries().last());
        ends[0].high - positions[0] == 0
    });
    process.stop();
    let rows = millrace_in(folder.path(), "table scan rows --data data --size 1000").output().unwrap();
    let lines = rows.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(lines, ROWS, "{}", String::from_utf8_lossy(&rows.stderr));
}

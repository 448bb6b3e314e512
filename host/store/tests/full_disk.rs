//! A disk that is full: a small one in memory, where we may mount one.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{FAMILIES, WINDOW, changes, open, specs};
use millrace_store::{Batch, Database, Durability, Error, OpenOptions, Wal};

/// How long RocksDB may take until it has seen that there is room: it looks every five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m,nr_inodes=256", "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            // Past the harness, which shows nothing of tests that pass.
            std::io::stderr().write_all(b"skipped: mounting a small disk needs root\n").unwrap();
        }
        mounted.then_some(Self(folder))
    }

    /// Makes files until it takes no other one, and gives them.
    fn litter(&self) -> Vec<PathBuf> {
        let names = (0..).map(|number| self.path().join(format!("litter-{number}")));
        names.take_while(|name| std::fs::File::create_new(name).is_ok()).collect()
    }

    /// Gives it room for eight times as much.
    fn enlarge(&self) {
        let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(self.path()).status().unwrap();
        assert!(remount.success());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Bytes that no compression makes fewer: else flushes could keep up for ever.
fn incompressible(seed: u32) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(12_500).flatten().collect()
}

/// Writes until the disk is full. Gives how many batches were written, and what is said then.
fn fill(database: &Arc<Database>) -> (u32, Error) {
    for number in 0..1_000 {
        if let Err(error) = write(database, number) {
            return (number, error);
        }
    }
    panic!("the disk doesn't fill");
}

fn write(database: &Arc<Database>, number: u32) -> Result<(), Error> {
    let mut batch = Batch::new(database);
    batch.put("offsets", &number.to_be_bytes(), &incompressible(number)).unwrap();
    database.write(batch, Durability::Buffered)
}

fn has(database: &Database, number: u32) -> bool {
    database.get("offsets", &number.to_be_bytes()).unwrap().is_some()
}

#[test]
fn a_full_disk_is_an_error_of_its_own_and_earlier_writes_stay() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("data");
    let database = open(&path);
    let (written, error) = fill(&database);
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert!(error.to_string().ends_with("no space left on the disk"), "{error}");
    drop(database);

    disk.enlarge();
    let database = open(&path);
    assert!((0..written).all(|number| has(&database, number)), "of {written} batches some are gone");
    assert!(!has(&database, written + 1));
}

#[test]
fn a_database_accepts_writes_again_once_the_disk_has_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let database = open(&disk.path().join("data"));
    let (written, _) = fill(&database);
    assert!(matches!(write(&database, written), Err(Error::Full { .. })), "while it is full, it stays so");
    disk.enlarge();
    let limit = Instant::now() + PATIENCE;
    while let Err(error) = write(&database, written) {
        assert!(matches!(error, Error::Full { .. }), "{error:?}");
        assert!(Instant::now() < limit, "there is room, and nothing is written: {error}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    database.flush().unwrap();
    assert!((0..=written).all(|number| has(&database, number)));
}

#[test]
fn unlogged_writes_keep_their_age_after_a_flush_that_could_not_begin() {
    let Some(disk) = SmallDisk::mount() else { return };
    let specs = specs();
    let options = OpenOptions { wal: Wal::WithoutWindows, families: &FAMILIES, ..OpenOptions::new(&specs) };
    let database = Arc::new(Database::open(&disk.path().join("data"), &options).unwrap());
    let mut batch = Batch::new(&database);
    batch.apply(&changes(WINDOW, &[("a", Some("1"))]), 0).unwrap();
    database.write(batch, Durability::Buffered).unwrap();
    write(&database, 0).unwrap();
    // A flush begins with a new log, for which there is no room.
    let litter = disk.litter();
    let refused = database.begin_flush();
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    litter.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let limit = Instant::now() + PATIENCE;
    let begun = loop {
        match database.flush_older_than(Duration::ZERO) {
            Ok(begun) => break begun,
            Err(_) if Instant::now() < limit => std::thread::park_timeout(Duration::from_millis(20)),
            Err(error) => panic!("there is room, and no flush begins: {error}"),
        }
    };
    assert!(begun, "it is forgotten that something waits");
}

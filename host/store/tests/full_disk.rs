//! A disk that is full: a small one in memory, where we may mount one.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{FAMILIES, WINDOW, changes, open, specs};
use millrace_store::{Batch, Database, Durability, Error, OpenOptions, Wal};

/// A writer without a batch for so long is one that RocksDB keeps waiting.
const STANDSTILL: Duration = Duration::from_secs(10);

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

/// A full disk as a writer meets it.
enum Full {
    /// A write has failed.
    Refused(Error),
    /// RocksDB keeps the writer waiting until there is room: so it does where both write buffers are full before the first
    /// flush has failed.
    Waits,
}

/// A thread that writes batches until one fails, or there is room again.
struct Filling {
    written: Arc<AtomicU32>,
    has_room: Arc<AtomicBool>,
    outcome: Receiver<Error>,
    thread: JoinHandle<()>,
}

impl Filling {
    fn start(database: &Arc<Database>) -> Self {
        let (written, has_room) = (Arc::<AtomicU32>::default(), Arc::<AtomicBool>::default());
        let (failed, outcome) = channel();
        let (database, counted, stop) = (Arc::clone(database), Arc::clone(&written), Arc::clone(&has_room));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                if let Err(error) = write(&database, counted.load(Ordering::SeqCst)) {
                    failed.send(error).unwrap();
                    return;
                }
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { written, has_room, outcome, thread }
    }

    /// Waits until the disk is full: a write fails, or none comes to its end.
    fn until_full(&self) -> Full {
        let mut before = 0;
        loop {
            match self.outcome.recv_timeout(STANDSTILL) {
                Ok(error) => return Full::Refused(error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(error) => panic!("the writer has ended: {error}"),
            }
            let written = self.written.load(Ordering::SeqCst);
            if written == before {
                return Full::Waits;
            }
            before = written;
        }
    }

    /// Ends the thread, now that there is room, and gives how many batches were written.
    fn end(self) -> u32 {
        self.has_room.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        self.written.load(Ordering::SeqCst)
    }
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
    let filling = Filling::start(&database);
    if let Full::Refused(error) = filling.until_full() {
        assert!(matches!(error, Error::Full { .. }), "{error:?}");
        assert!(error.to_string().ends_with("no space left on the disk"), "{error}");
    } else {
        disk.enlarge();
    }
    let written = filling.end();
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
    let filling = Filling::start(&database);
    let full = filling.until_full();
    if let Full::Refused(_) = full {
        let number = filling.written.load(Ordering::SeqCst);
        assert!(matches!(write(&database, number), Err(Error::Full { .. })), "while it is full, it stays so");
    }
    disk.enlarge();
    let written = filling.end();
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

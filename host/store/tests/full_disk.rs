//! A disk that is full: a small one in memory, where we may mount one.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::open;
use millrace_store::{Batch, Durability, Error};

struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(folder))
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

#[test]
fn a_full_disk_is_reported_as_such_and_what_was_written_before_stays() {
    let Some(disk) = SmallDisk::mount() else {
        // Past the harness, which shows nothing of tests that pass.
        writeln!(std::io::stderr(), "skipped: mounting a small disk needs root").unwrap();
        return;
    };
    let path = disk.path().join("data");
    let database = open(&path);
    let mut written = 0_u32;
    let error = loop {
        let mut batch = Batch::new(&database);
        batch.put("offsets", &written.to_be_bytes(), &incompressible(written)).unwrap();
        match database.write(batch, Durability::Buffered) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1_000, "the disk doesn't fill");
    };
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert!(error.to_string().ends_with("no space left on the disk"), "{error}");
    drop(database);

    let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(disk.path()).status().unwrap();
    assert!(remount.success());
    let database = open(&path);
    for n in 0..written {
        assert!(database.get("offsets", &n.to_be_bytes()).unwrap().is_some(), "batch {n} of {written}");
    }
    assert!(database.get("offsets", &(written + 1).to_be_bytes()).unwrap().is_none());
}

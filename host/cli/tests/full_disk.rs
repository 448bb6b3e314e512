//! Full disks: committed data stays, incomplete files are deleted, and the message names the place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{Place, Said, sample, until};

const RUN: &str = "run orders.toml --data small/data --set commit-interval=20ms";

/// A small disk in memory, mounted in the folder of a test.
struct Disk(PathBuf);

impl Disk {
    fn mount(place: &Place) -> Option<Self> {
        let path = place.path("small");
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&path).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            // Past the harness, which shows nothing of tests that pass.
            std::io::stderr().write_all(b"skipped: mounting a small disk needs root\n").unwrap();
        }
        mounted.then_some(Self(path))
    }

    /// Fills the disk.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length - 16_384).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names.into_iter().map(|name| name.into_string().unwrap()).collect()
}

/// Checks for exit code 75 and these words.
#[track_caller]
fn refused(said: Said, words: &[&str]) {
    let text = said.bad();
    assert!(text.starts_with("exit 75: "), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "{text:?} doesn't say {word:?}"));
}

#[test]
fn a_replay_whose_output_fills_the_disk_leaves_the_output_file_unchanged() {
    let place = Place::new();
    let Some(disk) = Disk::mount(&place) else { return };
    place.write("small/out.jsonl", "as it was");
    disk.fill();
    let said = place.millrace_with("replay orders.toml --out small/out.jsonl", &sample());
    refused(said, &["small/out.jsonl", "No space left on device"]);
    assert_eq!(place.read("small/out.jsonl"), "as it was");
    assert_eq!(names(&disk.0), ["filler", "out.jsonl"]);
    disk.make_room();
    place.millrace_with("replay orders.toml --out small/out.jsonl", &sample()).good();
}

#[test]
fn a_replay_whose_temporary_log_fills_the_disk_names_it_and_deletes_it() {
    let place = Place::new();
    let Some(disk) = Disk::mount(&place) else { return };
    place.write("input.jsonl", sample());
    disk.fill();
    let mut replay = place.command("replay orders.toml --in input.jsonl");
    let said: Said = replay.env("TMPDIR", &disk.0).output().unwrap().into();
    assert!(said.err.to_lowercase().contains("no space left") && said.err.contains("small"), "{}", said.err);
    assert_eq!(said.code, Some(75));
    assert_eq!(names(&disk.0), ["filler"]);
}

#[test]
fn records_that_do_not_fit_into_the_inbox_are_refused_as_a_whole_and_the_app_goes_on() {
    let place = Place::new();
    let Some(disk) = Disk::mount(&place) else { return };
    let mut run = place.start(RUN);
    run.logged("running");
    disk.fill();
    refused(place.millrace_with("topic write --data small/data", &sample()), &["small/data/inbox", "No space left"]);
    assert_eq!(names(&place.path("small/data/inbox")), [""; 0]);
    assert!(run.is_running());
    disk.make_room();
    place.millrace_with("topic write --data small/data", &sample()).good();
    let decided = || place.millrace("topic read orders --data small/data").good().lines().count();
    until("all is decided", || decided() > 500);
    assert_eq!(run.terminate().code(), Some(0));
}

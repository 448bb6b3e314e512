//! The processes of the app.

use std::sync::Mutex;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::findings::{Findings, attempt};
use crate::harness::process::Process;
use crate::place::Place;
use crate::plan::SLOTS;

/// The processes, each with a data folder.
pub struct Fleet<'p> {
    place: &'p Place,
    bootstrap: String,
    slots: [Option<Process>; SLOTS],
    started: usize,
    /// What those that were stopped have said at their end.
    pub last_words: Vec<Value>,
    ids: &'p Ids,
}

/// Numbers of the processes, for others to see.
#[derive(Default)]
pub struct Ids(Mutex<[Option<u32>; SLOTS]>);

impl Ids {
    pub fn get(&self) -> [Option<u32>; SLOTS] {
        *self.0.lock().unwrap()
    }
}

impl<'p> Fleet<'p> {
    /// None runs yet.
    pub fn new(place: &'p Place, bootstrap: String, ids: &'p Ids) -> Self {
        Self { place, bootstrap, slots: Default::default(), started: 0, last_words: Vec::new(), ids }
    }

    /// Name of a process's data folder.
    pub fn data(slot: usize) -> String {
        format!("data-{slot}")
    }

    /// How many there are. Those that run have the first numbers.
    pub fn size(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Starts a process, if it doesn't run.
    pub fn start(&mut self, slot: usize) {
        self.start_with(slot, None);
    }

    /// Starts one that dies at a point, see `host/kafka/src/faults.rs`.
    pub fn start_with(&mut self, slot: usize, point: Option<&str>) {
        if self.slots[slot].is_some() {
            return;
        }
        let data = Self::data(slot);
        let mut command = self.place.command(&format!("run pipeline.toml --kafka {} --data {data}", self.bootstrap));
        if let Some(point) = point {
            command.env("MILLRACE_FAULT", point);
        }
        let log = format!("process-{slot}-{:03}.log", self.started);
        self.started += 1;
        self.put(slot, Some(Process::start(command, &self.place.path(&log))));
    }

    fn put(&mut self, slot: usize, process: Option<Process>) {
        self.ids.0.lock().unwrap()[slot] = process.as_ref().map(Process::id);
        self.slots[slot] = process;
    }

    fn take(&mut self, slot: usize) -> Option<Process> {
        self.ids.0.lock().unwrap()[slot] = None;
        self.slots[slot].take()
    }

    /// `kill -9`.
    pub fn kill(&mut self, slot: usize) {
        if let Some(process) = self.take(slot) {
            process.kill();
        }
    }

    /// Asks a process to stop, and waits until it has, well.
    pub fn stop(&mut self, slot: usize, findings: &Findings) {
        let Some(process) = self.take(slot) else { return };
        match attempt(|| process.stop()) {
            Ok(words) => self.last_words.push(words),
            Err(text) => findings.add("processes", format!("process {slot} was asked to stop: {text}")),
        }
    }

    /// Halts a process, or lets it go on.
    pub fn signal(&self, slot: usize, signal: Signal) {
        if let Some(process) = &self.slots[slot] {
            process.signal(signal);
        }
    }

    /// Deletes a process's folder.
    pub fn wipe(&self, slot: usize) {
        assert!(self.slots[slot].is_none(), "the process runs");
        drop(std::fs::remove_dir_all(self.place.path(&Self::data(slot))));
    }

    /// The log of a process that has ended by itself. It is gone then.
    pub fn ended(&mut self, slot: usize) -> Option<String> {
        if self.slots[slot].as_mut()?.is_alive() {
            return None;
        }
        self.take(slot).map(|process| process.log())
    }

    /// No process ends by itself: one that did is found, and started again.
    pub fn keep_alive(&mut self, findings: &Findings) {
        for slot in 0..SLOTS {
            if let Some(log) = self.ended(slot) {
                let lines: Vec<_> = log.lines().rev().take(3).collect();
                findings.add("processes", format!("process {slot} ended by itself: {lines:#?}"));
                self.start(slot);
            }
        }
    }
}

//! The processes of the app.

use std::sync::Mutex;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::ended::Ended;
use crate::findings::{Findings, attempt};
use crate::harness::process::Process;
use crate::harness::wait::until;
use crate::place::Place;
use crate::plan::SLOTS;

/// The processes, each with a data folder.
pub struct Fleet<'p> {
    place: &'p Place,
    bootstrap: String,
    slots: [Option<Process>; SLOTS],
    started: usize,
    /// The last log entries of the processes that were stopped.
    pub last_words: Vec<Value>,
    ids: &'p Ids,
}

/// Process ids and names of logs, for other threads.
#[derive(Default)]
pub struct Ids(Mutex<[Option<(u32, String)>; SLOTS]>);

impl Ids {
    pub fn get(&self) -> [Option<u32>; SLOTS] {
        self.0.lock().unwrap().each_ref().map(|running| running.as_ref().map(|(id, _)| *id))
    }

    /// The logs of the running processes.
    pub fn logs(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().flatten().map(|(_, log)| log.clone()).collect()
    }
}

impl<'p> Fleet<'p> {
    /// A fleet without a running process.
    pub fn new(place: &'p Place, bootstrap: String, ids: &'p Ids) -> Self {
        Self { place, bootstrap, slots: Default::default(), started: 0, last_words: Vec::new(), ids }
    }

    /// Name of a process's data folder.
    pub fn data(slot: usize) -> String {
        format!("data-{slot}")
    }

    /// Number of processes. The running ones have the lowest numbers.
    pub fn size(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Starts a process unless it runs.
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
        let process = Process::start(command, &self.place.path(&log));
        self.ids.0.lock().unwrap()[slot] = Some((process.id(), log));
        self.slots[slot] = Some(process);
    }

    fn take(&mut self, slot: usize) -> Option<Process> {
        self.ids.0.lock().unwrap()[slot] = None;
        self.slots[slot].take()
    }

    /// Waits until all tasks of a process are open.
    pub fn wait_until_running(&self, slot: usize) {
        let Some(process) = &self.slots[slot] else { return };
        let runs = |entry: &Value| entry["message"] == "state" && entry["to"] == "running";
        until("the process runs", || process.entries().iter().any(runs));
    }

    /// `kill -9`. A process that has already ended is a finding.
    pub fn kill(&mut self, slot: usize, findings: &Findings) {
        if let Some(ended) = self.end(slot).filter(|ended| !ended.is_by(Signal::SIGKILL)) {
            findings.add("processes", format!("process {slot} ended by itself: {}", ended.text()));
        }
    }

    /// `kill -9`, unless it has already ended. Returns its end.
    pub fn end(&mut self, slot: usize) -> Option<Ended> {
        let (status, log) = self.take(slot)?.end();
        Some(Ended { status, log })
    }

    /// Tells a process to stop, and waits until it has ended with success.
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

    /// Whether any process is running.
    pub fn is_alive(&mut self, slot: usize) -> bool {
        self.slots[slot].as_mut().is_some_and(Process::is_alive)
    }

    /// Finds processes that have ended by themselves, which is a finding, and restarts them.
    pub fn keep_alive(&mut self, findings: &Findings) {
        for slot in 0..SLOTS {
            if self.slots[slot].is_some() && !self.is_alive(slot) {
                self.kill(slot, findings);
                self.start(slot);
            }
        }
    }
}

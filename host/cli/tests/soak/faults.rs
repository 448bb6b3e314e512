//! Injects the planned faults.

use std::time::{Duration, Instant};

use millrace_broker::Cluster;
use nix::sys::signal::Signal;

use crate::cluster::{grow, wait_until_in_sync};
use crate::ended::AtPoint;
use crate::feed::Feed;
use crate::findings::Findings;
use crate::fleet::Fleet;
use crate::harness::records::Kafka;
use crate::harness::wait::within;
use crate::names::full;
use crate::plan::{Fault, NODES, SLOTS};
use crate::timeline::Timeline;

/// Time limit for a process to die at its point: without work it doesn't get there.
const DIES_WITHIN: Duration = Duration::from_secs(30);

/// Most partitions that `events` gets.
const MOST_EVENTS: i32 = 6;

/// The targets of faults.
pub struct Victims<'v, 'p> {
    pub cluster: &'v mut Cluster,
    pub kafka: &'v Kafka,
    pub fleet: &'v mut Fleet<'p>,
    pub feed: &'v Feed,
    pub findings: &'v Findings,
    pub timeline: &'v Timeline,
    pub points: Points,
}

/// Points at which processes were to die.
#[derive(Clone, Copy, Default)]
pub struct Points {
    pub planned: usize,
    pub reached: usize,
}

impl Victims<'_, '_> {
    /// Injects a fault; returns when it is over.
    pub fn suffer(&mut self, fault: &Fault) {
        match fault {
            Fault::Kill { slot, away } => {
                self.fleet.kill(*slot, self.findings);
                self.lasts(*away);
                self.fleet.start(*slot);
            }
            Fault::Term { slot, away } => {
                self.fleet.stop(*slot, self.findings);
                self.lasts(*away);
                self.fleet.start(*slot);
            }
            Fault::Halt { slot, away } => {
                self.fleet.signal(*slot, Signal::SIGSTOP);
                self.lasts(*away);
                self.fleet.signal(*slot, Signal::SIGCONT);
            }
            Fault::Wipe { slot, killed } => {
                if *killed {
                    self.fleet.kill(*slot, self.findings)
                } else {
                    self.fleet.stop(*slot, self.findings)
                }
                self.fleet.wipe(*slot);
                self.fleet.start(*slot);
            }
            Fault::Point { slot, point } => self.die_at(*slot, point),
            Fault::Scale { to } => (0..SLOTS).for_each(|slot| match slot < *to {
                true => self.fleet.start(slot),
                false => self.fleet.stop(slot, self.findings),
            }),
            Fault::KillNode { node, away } => self.without_node(*node, *away, |cluster| cluster.kill(*node).unwrap()),
            Fault::StopNode { node, away } => self.without_node(*node, *away, |cluster| cluster.stop(*node).unwrap()),
            Fault::HaltNode { node, away } => {
                wait_until_in_sync(self.kafka);
                self.cluster.pause(*node).unwrap();
                self.lasts(*away);
                self.cluster.resume(*node).unwrap();
            }
            Fault::Roll { away } => {
                for node in 0..NODES {
                    self.without_node(node, *away, |cluster| cluster.stop(node).unwrap());
                }
            }
            Fault::Grow => self.grow(),
        }
    }

    /// Sleeps for the duration of a fault: no condition to wait for.
    fn lasts(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn die_at(&mut self, slot: usize, point: &str) {
        self.fleet.kill(slot, self.findings);
        self.fleet.start_with(slot, Some(point));
        self.points.planned += 1;
        let end = Instant::now() + DIES_WITHIN;
        while self.fleet.is_alive(slot) && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let Some(ended) = self.fleet.end(slot) else { return };
        match ended.at_point() {
            AtPoint::Reached => self.points.reached += 1,
            AtPoint::NotReached => self.timeline.note(&format!("not reached in time: {point}")),
            AtPoint::Otherwise => {
                let text = ended.text();
                self.findings
                    .add("processes", format!("process {slot} was to die at {point}, and ended by itself: {text}"));
            }
        }
        self.fleet.start(slot);
    }

    /// Stops one node at a time, after the previous one has caught up. Other faults go on meanwhile.
    fn without_node(&mut self, node: usize, away: Duration, harm: impl FnOnce(&mut Cluster)) {
        wait_until_in_sync(self.kafka);
        harm(self.cluster);
        self.lasts(away);
        self.cluster.start_node(node).unwrap();
    }

    fn grow(&mut self) {
        let size = self.fleet.size();
        for slot in 0..size {
            self.fleet.stop(slot, self.findings);
        }
        let topic = full("events");
        let partitions = self.feed.events().min(MOST_EVENTS - 1) + 1;
        if partitions > self.feed.events() {
            grow(self.kafka, &topic, partitions);
            self.feed.set_events(partitions);
        }
        for slot in 0..size {
            self.fleet.start(slot);
        }
    }

    /// Waits until each process is a member of the group.
    pub fn wait_for_members(&self, patience: Duration) {
        let size = self.fleet.size();
        let are_there = || self.kafka.members(crate::names::APP).is_ok_and(|members| members == size);
        within(patience, &format!("the group has {size} members"), are_there);
    }
}

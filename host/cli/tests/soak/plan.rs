//! The schedule of the faults.
//!
//! Faults come in rounds of five minutes. The last quarter of each has none: all effects must be over by then, and no
//! fault explains a partition that has stopped. In the second half of the run the first process, the *elder*, is halted
//! and loses its brokers, but isn't restarted: its memory is checked.

use std::fmt;
use std::time::Duration;

use crate::options::{Kind, Options};
use crate::support::Dice;

/// Most processes at a time.
pub const SLOTS: usize = 3;

/// Processes at the start.
pub const AT_START: usize = 2;

/// Nodes of the cluster.
pub const NODES: usize = 3;

const ROUND: Duration = Duration::from_secs(300);

/// Processes start, and have committed something.
const WARM_UP: Duration = Duration::from_secs(10);

/// Points at which a process can die, see `host/kafka/src/faults.rs`.
const POINTS: [&str; 4] = ["produced", "offsets-sent", "acknowledged", "stored"];

/// A fault. `away` is its duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Kill { slot: usize, away: Duration },
    Term { slot: usize, away: Duration },
    Halt { slot: usize, away: Duration },
    Wipe { slot: usize, killed: bool },
    Point { slot: usize, point: String },
    Scale { to: usize },
    KillNode { node: usize, away: Duration },
    StopNode { node: usize, away: Duration },
    HaltNode { node: usize, away: Duration },
    Roll { away: Duration },
    Grow,
}

/// A fault with its time, from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub at: Duration,
    pub fault: Fault,
}

/// The schedule of a seed.
pub fn plan(options: &Options, seed: u64) -> Vec<Planned> {
    let mut planner = Planner { options, dice: Dice::new(seed), running: AT_START, half: options.time() / 2 };
    let mut planned = Vec::new();
    let mut at = WARM_UP;
    while at < options.time() {
        let round = ROUND.min(options.time());
        let in_round = Duration::from_secs_f64(at.as_secs_f64() % round.as_secs_f64());
        if in_round > round - round / 4 {
            at += round - in_round + planner.time(500, 3_000);
            continue;
        }
        if let Some(fault) = planner.fault(at) {
            planned.push(Planned { at, fault });
        }
        at += planner.time(4_000, 20_000);
    }
    planned
}

struct Planner<'o> {
    options: &'o Options,
    dice: Dice,
    running: usize,
    half: Duration,
}

impl Planner<'_> {
    fn time(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.dice.below(to_ms - from_ms))
    }

    /// Takes the same random numbers whatever is left out, so that the rest of the schedule stays the same.
    fn fault(&mut self, at: Duration) -> Option<Fault> {
        let any = self.dice.below(self.running as u64) as usize;
        let spare_elder = at >= self.half;
        let slot = if spare_elder { 1 + any.saturating_sub(1) } else { any };
        let alone = spare_elder && self.running == 1;
        let node = self.dice.below(NODES as u64) as usize;
        let (short, long) = (self.time(0, 8_000), self.time(9_000, 20_000));
        let point = format!("{}:{}", POINTS[self.dice.below(4) as usize], 1 + self.dice.below(20));
        let other = (self.running + self.dice.below(2) as usize) % SLOTS + 1;
        let odd = self.dice.below(2) == 0;
        let kind = self.dice.below(100);
        let (kind, fault) = match kind {
            0..=21 => (Kind::Kill, Fault::Kill { slot, away: short }),
            22..=33 => (Kind::Term, Fault::Term { slot, away: short }),
            34..=43 => (Kind::Halt, Fault::Halt { slot: any, away: short }),
            44..=48 => (Kind::Halt, Fault::Halt { slot: any, away: long }),
            49..=55 => (Kind::Wipe, Fault::Wipe { slot, killed: odd }),
            56..=64 => (Kind::Point, Fault::Point { slot, point }),
            65..=77 => (Kind::Scale, Fault::Scale { to: other }),
            78..=84 => (Kind::Brokers, Fault::KillNode { node, away: short }),
            85..=89 => (Kind::Brokers, Fault::StopNode { node, away: short }),
            90..=94 => (Kind::Brokers, Fault::HaltNode { node, away: short }),
            95..=96 => (Kind::Brokers, Fault::Roll { away: short / 4 }),
            // With it, all are restarted.
            _ if spare_elder => (Kind::Halt, Fault::Halt { slot: any, away: long }),
            _ => (Kind::Grow, Fault::Grow),
        };
        let restarts = matches!(kind, Kind::Kill | Kind::Term | Kind::Wipe | Kind::Point);
        let (kind, fault) = match (restarts && alone, fault) {
            (true, _) | (_, Fault::Scale { to: 1 }) if spare_elder => {
                (Kind::Scale, Fault::Scale { to: 2 + usize::from(odd) })
            }
            (_, fault) => (kind, fault),
        };
        if !self.options.has(kind) {
            return None;
        }
        if let Fault::Scale { to } = fault {
            self.running = to;
        }
        Some(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { slot, away } => write!(f, "process {slot} is killed, and started after {away:.1?}"),
            Self::Term { slot, away } => write!(f, "process {slot} is stopped, and started after {away:.1?}"),
            Self::Halt { slot, away } => write!(f, "process {slot} is halted for {away:.1?}"),
            Self::Wipe { slot, killed: true } => write!(f, "process {slot} is killed and loses its folder"),
            Self::Wipe { slot, killed: false } => write!(f, "process {slot} is stopped and loses its folder"),
            Self::Point { slot, point } => write!(f, "process {slot} dies at {point}"),
            Self::Scale { to } => write!(f, "there are to be {to} processes"),
            Self::KillNode { node, away } => write!(f, "broker {node} is killed for {away:.1?}"),
            Self::StopNode { node, away } => write!(f, "broker {node} is stopped for {away:.1?}"),
            Self::HaltNode { node, away } => write!(f, "broker {node} is halted for {away:.1?}"),
            Self::Roll { away } => write!(f, "brokers are rolled, each away for {away:.1?}"),
            Self::Grow => write!(f, "all processes stop, and `events` gets more partitions"),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.1} s  {}", self.at.as_secs_f64(), self.fault)
    }
}

//! Commands of the group's member to the workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;

use crate::tasks::TaskId;

/// The generation of the group in which tasks were assigned: a commit under an older one is fenced.
#[derive(Clone)]
pub(crate) struct Generation {
    /// What goes with a commit.
    pub(crate) metadata: Arc<ConsumerGroupMetadata>,
    /// Each assignment of the group has the next number.
    pub(crate) number: i32,
}

/// A command to a worker.
pub(crate) enum Command {
    /// Run these tasks, and no others, under this generation of the group.
    Assign(Vec<TaskId>, Option<Generation>),
    /// Commit, and wait for the next assignment, in which the tasks may come back. Acknowledged when it is committed.
    Suspend(Sender<()>),
    /// Another member has the tasks already: drop them with their uncommitted results. Acknowledged when they are
    /// dropped.
    Drop(Sender<()>),
}

/// The sending end of a worker's mailbox.
#[derive(Clone)]
pub(crate) struct MailboxSender {
    commands: Sender<Command>,
    /// Set while there are commands: long work is interrupted for them.
    pending: Arc<AtomicBool>,
}

impl MailboxSender {
    /// Both ends of a mailbox.
    pub(crate) fn new() -> (Self, Mailbox) {
        let (commands, received) = channel();
        let pending = Arc::new(AtomicBool::new(false));
        (Self { commands, pending: Arc::clone(&pending) }, Mailbox { commands: received, pending })
    }

    /// A worker that has ended receives nothing. The worker that takes its number gets the current assignment.
    pub(crate) fn send(&self, command: Command) {
        drop(self.commands.send(command));
        // After the command: a worker that sees this finds the command.
        self.pending.store(true, Ordering::SeqCst);
    }
}

/// The worker's end of its mailbox.
pub(crate) struct Mailbox {
    commands: Receiver<Command>,
    pending: Arc<AtomicBool>,
}

impl Mailbox {
    /// Whether a command waits.
    pub(crate) fn has_commands(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    /// The next command, waiting at most so long for it.
    pub(crate) fn receive(&self, wait: Duration) -> Option<Command> {
        if wait.is_zero() && !self.has_commands() {
            return None;
        }
        // Cleared before it receives: a command that is sent later sets it again.
        self.pending.store(false, Ordering::SeqCst);
        let command = self.commands.recv_timeout(wait).ok()?;
        self.pending.store(true, Ordering::SeqCst);
        Some(command)
    }
}

//! What workers are told.

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

/// What a worker is told.
pub(crate) enum Command {
    /// Have these tasks, and no others, under this generation of the group.
    Assign(Vec<TaskId>, Option<Generation>),
    /// Commit, and wait; then say so. The tasks may come back.
    Suspend(Sender<()>),
    /// The tasks are somebody else's already: drop them with what isn't committed; then say so.
    Drop(Sender<()>),
}

/// How a worker is told something.
#[derive(Clone)]
pub(crate) struct MailboxSender {
    commands: Sender<Command>,
    /// Set while there are commands: what takes long looks at it.
    called: Arc<AtomicBool>,
}

impl MailboxSender {
    /// A line, and its other end.
    pub(crate) fn new() -> (Self, Mailbox) {
        let (commands, heard) = channel();
        let called = Arc::new(AtomicBool::new(false));
        (Self { commands, called: Arc::clone(&called) }, Mailbox { commands: heard, called })
    }

    /// A worker that has ended hears nothing, and nothing is missed: another one takes its number.
    pub(crate) fn tell(&self, command: Command) {
        drop(self.commands.send(command));
        // After it: who hears the call finds the command.
        self.called.store(true, Ordering::SeqCst);
    }
}

/// Where a worker hears.
pub(crate) struct Mailbox {
    commands: Receiver<Command>,
    called: Arc<AtomicBool>,
}

impl Mailbox {
    /// Whether something was said that isn't heard yet.
    pub(crate) fn is_called(&self) -> bool {
        self.called.load(Ordering::SeqCst)
    }

    /// The next command, waiting for it at most so long.
    pub(crate) fn hear(&self, patience: Duration) -> Option<Command> {
        if patience.is_zero() && !self.is_called() {
            return None;
        }
        // Cleared before the look: what is said after it sets it again.
        self.called.store(false, Ordering::SeqCst);
        let command = self.commands.recv_timeout(patience).ok()?;
        self.called.store(true, Ordering::SeqCst);
        Some(command)
    }
}

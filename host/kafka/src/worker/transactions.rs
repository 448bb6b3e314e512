//! A worker's transactions: its producer, and the state of the open transaction.
//!
//! ```text
//!           first uncommitted work               all tasks committed
//!   clean ─────────────────────────▶ begun ──────────────────────────▶ clean
//!     ▲                                │ └─ disturbed ─▶ committed, and the producer is dropped
//!     └── the tasks in it are dropped ─┘
//! ```
//!
//! After a commit of some tasks only, others may have uncommitted work: then it stays begun.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::producer::Transactions;
use crate::cluster::limits::Limits;
use crate::cluster::unclear::UnclearRefusals;
use crate::error::Reaction;
use crate::state::barrier::{TransactionBarrier, TransactionPermit};

/// The transactions of a worker, one after another.
pub(super) struct WorkerTransactions {
    /// None until it is opened, and again when it is of no more use.
    pub(super) producer: Option<Transactions>,
    /// While a transaction is open, global tables stay as they are.
    permit: Option<TransactionPermit>,
    /// The limits of topics, as known when the producer was opened.
    pub(super) limits: Limits,
    /// For which partitions each record is sent for itself.
    pub(super) unclear: UnclearRefusals,
    /// When the uncommitted work began.
    pub(super) begun: Option<Instant>,
    /// When everything was committed last.
    last_commit: Instant,
    /// When the last transaction ended.
    ended: Instant,
}

impl WorkerTransactions {
    pub(super) fn new() -> Self {
        Self {
            producer: None,
            permit: None,
            limits: Limits::default(),
            unclear: UnclearRefusals::default(),
            begun: None,
            last_commit: Instant::now(),
            ended: Instant::now(),
        }
    }

    /// Whether a broker knows of an open transaction, which it ends when that gets too old.
    pub(super) fn is_open(&self) -> bool {
        self.producer.as_ref().is_some_and(Transactions::is_open)
    }

    /// Whether the uncommitted work began so long ago.
    pub(super) fn is_older_than(&self, limit: Duration) -> bool {
        self.begun.is_some_and(|begun| begun.elapsed() >= limit)
    }

    /// How long ago everything was committed.
    pub(super) fn since_commit(&self) -> Duration {
        self.last_commit.elapsed()
    }

    /// How long ago the last transaction ended.
    pub(super) fn since_end(&self) -> Duration {
        self.ended.elapsed()
    }

    /// Holds global tables still until the transaction ends. False if they change, and `go_on` turns false meanwhile.
    pub(super) fn acquire_permit(
        &mut self,
        barrier: Option<&Arc<TransactionBarrier>>,
        go_on: &dyn Fn() -> bool,
    ) -> bool {
        if let (Some(barrier), None) = (barrier, &self.permit) {
            self.permit = barrier.enter(go_on);
            return self.permit.is_some();
        }
        true
    }

    /// Lets global tables change: no task has uncommitted work, or those that have are dropped.
    pub(super) fn release(&mut self) {
        self.permit = None;
        self.begun = None;
    }

    /// Forgets the open transaction, whose tasks are dropped. The broker doesn't know yet: see [`abort`](Self::abort).
    pub(super) fn discard(&mut self) {
        self.release();
        self.unclear.aborted();
    }

    /// A transaction has ended well.
    pub(super) fn note_end(&mut self) {
        self.ended = Instant::now();
    }

    /// Nothing is left to commit.
    pub(super) fn note_all_committed(&mut self) {
        self.last_commit = Instant::now();
    }

    /// Aborts the open transaction at the broker. A producer that can't is dropped.
    ///
    /// # Errors
    /// The worker, or the process, can't go on.
    pub(super) fn abort(&mut self) -> Result<(), Reaction> {
        let Some(producer) = &mut self.producer else { return Ok(()) };
        if let Err(reaction) = producer.abort() {
            self.producer = None;
            if let Reaction::Stop(_) | Reaction::Fail(_) = reaction {
                return Err(reaction);
            }
        }
        Ok(())
    }
}

//! Transactions: all records that a worker sends and the offsets of its inputs, at once or not at all.
//!
//! ```text
//!            send, or offsets to commit                 acknowledged
//!   ready ────────────────────────────▶ open ── commit ───────────────▶ ready
//!     ▲                                   │  └─ abort ── acknowledged ──▶ ready
//!     └──────────── a new one ◀───────────┴── anything else: outcome unknown
//! ```
//!
//! librdkafka has no second part of KIP-890: an end of a transaction that was delayed on its way can end a later one.
//! So after anything but a clean acknowledgement a new producer takes over the transactional id, which fences requests
//! in flight.

mod deliveries;
mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};

use crate::client::calls::Calls;
use crate::client::native::{OutgoingRecord, Sender};
use crate::client::settings::{ClientSettings, wrong_settings};
use crate::error::codes::{self, Class, class, describe};
use crate::error::{Error, Reaction, code, with_age};
use crate::faults::{self, Point};
use deliveries::{Deliveries, Failures, Tag};

/// The client behind it.
pub(crate) type Client = BaseProducer<Deliveries>;

/// How long one attempt of a call may take before it is made again.
const CALL_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for the delivery report of a record after a call has failed, perhaps because of that record.
const REPORT_WAIT: Duration = Duration::from_millis(500);

/// A commit that takes longer may have been sent more than once: see above.
const SLOW_COMMIT: Duration = Duration::from_millis(500);

/// How long to wait for delivery reports at a time. The binding's own poll would spin for less than a millisecond.
const REPORT_POLL_WAIT: Duration = Duration::from_micros(250);

/// A producer of transactions under one transactional id.
pub(crate) struct Transactions {
    id: String,
    // Dropped before the client that it belongs to.
    sender: Sender,
    calls: Calls<Client>,
    timeout: Duration,
    /// When the open transaction began.
    open: Option<Instant>,
    /// Bytes of all records that were sent, but for their headers.
    sent: usize,
    /// Bytes of headers that were sent since nothing was in flight: delivery reports don't say how many are theirs.
    headers: usize,
}

impl Transactions {
    /// Takes over the transactional id, and aborts a transaction that its last owner left open. Tries until it
    /// succeeds, as long as `go_on` is true; `None` when it turns false. `topics` are known by their numbers from then
    /// on. `stopping` is set when the process stops.
    pub(crate) fn open<'a>(
        settings: &ClientSettings,
        id: &str,
        topics: impl Iterator<Item = &'a str>,
        stopping: Arc<AtomicBool>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Reaction> {
        let config = settings.producer(id);
        let client: Client = config.create_with_context(Deliveries::default()).map_err(wrong_settings)?;
        let mut calls = Calls::new(client, stopping)?;
        while let Err(error) = calls.call(|client| client.init_transactions(CALL_ATTEMPT_TIMEOUT))? {
            match is_retriable(&error) {
                true if go_on() => {
                    tracing::warn!(error = describe(&error), id, "waiting for the transaction coordinator")
                }
                true => return Ok(None),
                false => return Err(refused(error, settings).into()),
            }
        }
        let sender = Sender::new(calls.client(), topics)
            .map_err(|code| Error::Setup(format!("a topic of the pipeline has a name that Kafka refuses: {code}")))?;
        let timeout = settings.transaction_timeout();
        Ok(Some(Self { id: id.into(), sender, calls, timeout, open: None, sent: 0, headers: 0 }))
    }

    fn client(&self) -> &Client {
        self.calls.client()
    }

    /// Makes room for the offsets that `slots` partitions get; see [`send`](Self::send).
    pub(crate) fn set_slots(&mut self, slots: usize) {
        self.client().context().set_slots(slots);
    }

    /// Whether a transaction is open: the broker ends one that stays so for too long.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Puts a record into the transaction, and opens one if there is none. Waits while the queue is full: that is how a
    /// slow broker slows the worker down. The offset that the record gets is kept under `slot`, if there is one.
    pub(crate) fn send(
        &mut self,
        topic: usize,
        record: &OutgoingRecord<'_>,
        slot: Option<usize>,
    ) -> Result<(), Reaction> {
        self.begin()?;
        let opaque = Tag::of(slot, record.timestamp).opaque();
        while self.waiting() > IN_FLIGHT_LIMIT_BYTES {
            self.wait_for_some()?;
        }
        if self.headers > IN_FLIGHT_LIMIT_BYTES {
            self.wait_for_deliveries()?;
            self.headers = 0;
        }
        self.headers += record.headers.held();
        loop {
            match self.sender.send(self.calls.client(), topic, record, opaque) {
                Ok(()) => {
                    // Only records that were taken have a delivery report.
                    self.sent = self.sent.wrapping_add(bytes_of(record.key, record.value));
                    return Ok(());
                }
                // Records that can't be delivered leave the queue too, after a time, and then `check` finds them.
                Err(RDKafkaErrorCode::QueueFull) if self.client().in_flight_count() > 0 => self.wait_for_some()?,
                Err(RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::MessageSizeTooLarge) => {
                    return Err(too_large(bytes_of(record.key, record.value)));
                }
                Err(code) => return Err(self.explain(|this| this.not_taken(topic, record, code))),
            }
        }
    }

    /// Bytes in flight.
    fn waiting(&self) -> usize {
        self.sent.wrapping_sub(self.client().context().served.load(Ordering::Relaxed))
    }

    /// Serves delivery reports that have come.
    pub(crate) fn serve(&mut self) -> Result<(), Reaction> {
        self.poll();
        self.check()
    }

    /// Serves all reports that have come. Whether there were any.
    fn poll(&self) -> bool {
        let before = self.client().in_flight_count();
        let mut left = before;
        loop {
            self.client().poll(Duration::ZERO);
            let now = self.client().in_flight_count();
            if now >= left {
                return left < before;
            }
            left = now;
        }
    }

    fn wait_for_some(&mut self) -> Result<(), Reaction> {
        if !self.poll() {
            std::thread::park_timeout(REPORT_POLL_WAIT);
        }
        self.check()
    }

    /// Opens a transaction if none is open.
    fn begin(&mut self) -> Result<(), Reaction> {
        if self.open.is_none() {
            self.client().context().disturbed.store(false, Ordering::Relaxed);
            if let Err(error) = self.client().begin_transaction() {
                return Err(self.react(&error));
            }
            self.open = Some(Instant::now());
        }
        Ok(())
    }

    /// Commits the records that were sent together with the offsets of the group, if that still has the generation
    /// `group`.
    pub(crate) fn commit(
        &mut self,
        offsets: TopicPartitionList,
        group: Arc<ConsumerGroupMetadata>,
    ) -> Result<CommitOutcome, Reaction> {
        self.begin()?;
        self.wait_for_deliveries()?;
        faults::hit(Point::Produced);
        let began = Instant::now();
        self.again(move |client| client.send_offsets_to_transaction(&offsets, &group, CALL_ATTEMPT_TIMEOUT))?;
        faults::hit(Point::OffsetsSent);
        self.end()?;
        faults::hit(Point::Acknowledged);
        // Reports of errors on the way may come only now.
        self.poll();
        let disturbed = self.client().context().disturbed.load(Ordering::Relaxed) || began.elapsed() > SLOW_COMMIT;
        Ok(CommitOutcome { ends: self.client().context().take_ends(), disturbed })
    }

    /// Commits the records that were sent, without offsets.
    pub(crate) fn commit_records(&mut self) -> Result<(), Reaction> {
        self.wait_for_deliveries()?;
        self.end()
    }

    fn end(&mut self) -> Result<(), Reaction> {
        self.again(|client| client.commit_transaction(CALL_ATTEMPT_TIMEOUT))?;
        self.open = None;
        Ok(())
    }

    /// Drops the records that were sent, on the broker too.
    pub(crate) fn abort(&mut self) -> Result<(), Reaction> {
        if self.open.is_none() {
            return Ok(());
        }
        // An abort waits for delivery reports, which are not served meanwhile; and an abort that overtakes the first
        // record on its way to the broker is fatal (librdkafka#4849). So records in flight are waited for first, but
        // not for ever.
        self.serve_reports_while(CALL_ATTEMPT_TIMEOUT, |_| true);
        self.again(|client| client.abort_transaction(CALL_ATTEMPT_TIMEOUT))?;
        self.open = None;
        self.client().context().forget();
        Ok(())
    }

    /// `commit_transaction` would wait for them in steps of 100 ms.
    fn wait_for_deliveries(&mut self) -> Result<(), Reaction> {
        while self.client().in_flight_count() > 0 {
            self.wait_for_some()?;
        }
        self.check()
    }

    /// Whether a record couldn't be delivered.
    fn check(&mut self) -> Result<(), Reaction> {
        let (has_failed, is_refused) = self.client().context().failed();
        if !has_failed {
            return Ok(());
        }
        if is_refused {
            self.serve_all_reports();
        }
        let failures = self.client().context().take_failures();
        let Some(reaction) = failures.map(Failures::reaction) else { return Ok(()) };
        Err(match (self.unusable(), reaction) {
            (Some(stop @ Reaction::Stop(_)), _) => stop,
            // Its producer isn't used again in any case.
            (_, refused @ Reaction::Refused(_)) => refused,
            (unusable, reaction) => unusable.unwrap_or(reaction),
        })
    }

    /// Serves the reports of all records that brokers have got: each refusal that is known now needs no transaction of
    /// its own. The others aren't sent any more.
    fn serve_all_reports(&self) {
        self.client().purge(PurgeConfig::default().queue().non_blocking());
        self.serve_reports_while(CALL_ATTEMPT_TIMEOUT, |_| true);
    }

    /// Serves reports while some are to come and it is so, but not for ever.
    fn serve_reports_while(&self, limit: Duration, so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while self.client().in_flight_count() > 0 && began.elapsed() < limit && so(self) {
            if !self.poll() {
                std::thread::park_timeout(REPORT_POLL_WAIT);
            }
        }
    }

    /// Why a call has failed: a failed record may be the cause, whose report is still to come.
    fn explain(&mut self, otherwise: impl FnOnce(&Self) -> Reaction) -> Reaction {
        self.serve_reports_while(REPORT_WAIT, |this| !this.client().context().failed().0);
        let found = self.check().err();
        match (found, otherwise(self)) {
            (_, stop @ Reaction::Stop(_)) => stop,
            (Some(refused @ (Reaction::Refused(_) | Reaction::Stop(_))), _) => refused,
            // The outcome of the transaction is unknown.
            (_, rebuild @ Reaction::Rebuild(_)) => rebuild,
            (found, otherwise) => found.unwrap_or(otherwise),
        }
    }

    /// Why librdkafka doesn't take a record.
    fn not_taken(&self, topic: usize, record: &OutgoingRecord<'_>, code: RDKafkaErrorCode) -> Reaction {
        let name = self.sender.name(topic);
        let error = KafkaError::MessageProduction(code);
        let text = format!("{name} [{}]: {}", record.partition, describe(&error));
        self.unusable().or_else(|| codes::for_good(&error)).unwrap_or(Reaction::Unwritten(text))
    }

    /// Makes a call again while it may be, until the transaction must have timed out.
    fn again(
        &mut self,
        call: impl Fn(&Client) -> Result<(), KafkaError> + Send + Sync + 'static,
    ) -> Result<(), Reaction> {
        let limit = self.open.unwrap_or_else(Instant::now) + self.timeout;
        let call = Arc::new(call);
        loop {
            let own = Arc::clone(&call);
            match self.calls.call(move |client| own(client))? {
                Ok(()) => return Ok(()),
                Err(error) if is_retriable(&error) && Instant::now() < limit => {
                    tracing::warn!(%error, id = self.id, "a transaction waits for the broker");
                }
                Err(error) => return Err(self.react(&error)),
            }
        }
    }

    fn react(&mut self, error: &KafkaError) -> Reaction {
        self.explain(|this| this.reaction(error))
    }

    fn reaction(&self, error: &KafkaError) -> Reaction {
        if let Some(reaction) = self.unusable().or_else(|| codes::for_good(error)) {
            return reaction;
        }
        let text = with_age(self.open, self.timeout, describe(error));
        match error {
            KafkaError::Transaction(inner) if inner.txn_requires_abort() => Reaction::Abort(text),
            _ if code(error).map(class) == Some(Class::Fence) => self.fenced(text),
            _ => Reaction::Rebuild(text),
        }
    }

    /// The reaction to a fatal error of the client, if it has had one.
    fn unusable(&self) -> Option<Reaction> {
        let (code, text) = self.client().client().fatal_error()?;
        let text = with_age(self.open, self.timeout, text);
        if class(code) == Class::Fence {
            return Some(self.fenced(text));
        }
        let text = format!("{text}{}", codes::remedy(code));
        Some(match class(code) {
            Class::App => Reaction::Stop(Error::Setup(text)),
            _ => Reaction::Rebuild(text),
        })
    }

    /// The epoch is no longer the newest: the broker has ended a transaction that was open for too long, or another
    /// process has taken over the id.
    fn fenced(&self, text: String) -> Reaction {
        match self.open {
            Some(began) if began.elapsed() >= self.timeout => Reaction::Rebuild(text),
            _ => Reaction::Stop(Error::TakenOver { id: self.id.clone() }),
        }
    }
}

/// An acknowledged commit.
pub(crate) struct CommitOutcome {
    /// For each slot, the offset after its last record, where something was sent and its place is known.
    pub(crate) ends: Vec<Option<i64>>,
    /// Whether a request may have been sent more than once: then the producer is to be replaced.
    pub(crate) disturbed: bool,
}

/// Bytes in flight above which the next record waits. One record is always sent.
const IN_FLIGHT_LIMIT_BYTES: usize = 8 << 20;

fn bytes_of(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}

/// Why a producer can't begin.
fn refused(error: KafkaError, settings: &ClientSettings) -> Error {
    if code(&error) != Some(RDKafkaErrorCode::InvalidTransactionTimeout) {
        return match codes::for_good(&error) {
            Some(Reaction::Stop(error)) => error,
            _ => Error::from(error),
        };
    }
    Error::Setup(format!(
        "{}: that is more than the broker allows; make it less, or raise the broker's `transaction.max.timeout.ms`",
        settings.said_transaction_timeout()
    ))
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(inner) if inner.is_retriable())
}

/// Sinks have checked the sizes of their records: a record that is too large for the producer is an entry of a store.
fn too_large(bytes: usize) -> Reaction {
    Reaction::Stop(Error::Task(format!(
        "an entry of a store has {bytes} bytes, and no changelog record may be so large: make the state smaller, or \
         raise `message.max.bytes` under [kafka] and `max.message.bytes` of the changelog topic"
    )))
}

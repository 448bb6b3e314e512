//! The settings of the driver's clients: those of the host, on top of those that the pipeline file passes through.

mod check;
mod known;

use std::time::Duration;

use millrace_engine::secret::Secret;
use rdkafka::ClientConfig;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::client::app::App;
use crate::client::context::LogContext;
use crate::error::Error;

pub(crate) use check::check;
pub use check::{Mistake, mistakes};

/// Bytes that a fetching client holds for its worker.
const QUEUE_BYTES: usize = 2 << 20;

/// Most bytes of an answer to a fetch. Larger ones would be memory that is asked of the system each time.
const FETCH_BYTES: usize = 1 << 20;

/// An answer to a fetch waits for so many bytes, for as long as it may.
const FETCH_MIN_BYTES: usize = 64 << 10;

/// Most bytes of one partition in it.
const PARTITION_BYTES: usize = 256 << 10;

/// Bytes of a batch of records, as librdkafka has it: less than a topic takes by default.
const BATCH_BYTES: usize = 1_000_000;

/// The largest record that a client takes: what a topic allows is checked against the topic. More than a guest's memory
/// has by default, so that no state is too large for its changelog, and less than a broker's
/// `socket.request.max.bytes`.
const RECORD_BYTES: usize = 80 << 20;

/// Kafka's default for transactions of streams: a transaction that a dead process left open blocks readers for so long.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of all clients of an instance.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    app: String,
    instance: String,
    bootstrap: String,
    /// The `[kafka]` table. The pipeline checks that nothing in it is the host's.
    raw: Vec<(String, Secret)>,
    transaction_timeout: Duration,
    /// The most bytes of a batch that a producer sends.
    batch_bytes: usize,
    /// The largest record, where the pipeline file sets it.
    record_bytes: Option<usize>,
}

impl ClientSettings {
    /// For an instance of an app; `commit_interval` is the longest that a transaction is meant to be open.
    ///
    /// # Errors
    /// A setting that the host reads is no number.
    pub fn new(
        app: &str,
        instance: &str,
        bootstrap: &str,
        raw: &[(String, Secret)],
        commit_interval: Duration,
    ) -> Result<Self, Error> {
        let number = |name| number(raw, name);
        let timeout = number("transaction.timeout.ms")?.map(|ms| Duration::from_millis(ms.into()));
        let timeout = timeout.unwrap_or(TRANSACTION_TIMEOUT.max(commit_interval * 4));
        if i32::try_from(timeout.as_millis()).is_err() {
            return Err(Error::Setup(format!("{}: that is more than there can be", said(raw, timeout))));
        }
        Ok(Self {
            app: app.into(),
            instance: instance.into(),
            bootstrap: bootstrap.into(),
            raw: raw.to_vec(),
            transaction_timeout: timeout,
            batch_bytes: number("batch.size")?.map_or(BATCH_BYTES, |bytes| bytes as usize),
            record_bytes: number("message.max.bytes")?.map(|bytes| bytes as usize),
        })
    }

    /// The same for an instance that now has its id.
    pub(crate) fn with_instance(&self, instance: &str) -> Self {
        Self { instance: instance.into(), ..self.clone() }
    }

    /// The same for producers to topics of which one takes batches of no more than so many bytes: librdkafka doesn't
    /// know a topic's limit, and doesn't divide a batch that the broker refuses.
    pub(crate) fn with_batch_bytes(&self, bytes: usize) -> Self {
        Self { batch_bytes: bytes.min(self.batch_bytes), ..self.clone() }
    }

    /// The app, as commands name it.
    pub(crate) fn app(&self) -> App<'_> {
        App { name: &self.app, bootstrap: &self.bootstrap }
    }

    /// How long the broker lets a transaction be open.
    pub(crate) fn transaction_timeout(&self) -> Duration {
        self.transaction_timeout
    }

    /// The same as a text, with the setting that it comes from.
    pub(crate) fn said_transaction_timeout(&self) -> String {
        said(&self.raw, self.transaction_timeout)
    }

    /// The largest record that clients take, in bytes.
    pub(crate) fn record_bytes(&self) -> usize {
        self.record_bytes.unwrap_or(RECORD_BYTES)
    }

    /// A client for questions and administration. It sees partitions up to their high watermarks.
    pub(crate) fn admin(&self) -> ClientConfig {
        let mut config = self.base("admin");
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// A client for the group's committed offsets. It never joins the group.
    pub(crate) fn asker(&self) -> ClientConfig {
        self.consumer("offsets")
    }

    /// The consumer that is the instance's member of the group. It never fetches. Its name ends with how it cuts the
    /// partitions into tasks, for the other members to see.
    pub(crate) fn member(&self, cut: &str) -> ClientConfig {
        let mut config = self.consumer(&format!("member-{cut}"));
        config.set("partition.assignment.strategy", "range");
        config.set("group.protocol", "classic");
        config.set("queued.min.messages", "1");
        // How long the partitions of a process that was killed wait for another owner. Nothing but the death of the
        // process keeps the member from its heartbeat, so it needn't be Kafka's 45 s.
        self.default(&mut config, "session.timeout.ms", 10_000);
        // After so long it is noticed that an input has more partitions, so that keys go to others than those where
        // their state is, and that an input was deleted. The default is five minutes.
        self.default(&mut config, "topic.metadata.refresh.interval.ms", 3_000);
        // Nothing is read, so there is nothing to reset.
        config.set("auto.offset.reset", "latest");
        config
    }

    /// A consumer of given partitions, for one worker.
    pub(crate) fn fetcher(&self, role: &str) -> ClientConfig {
        let mut config = self.consumer(role);
        config.set("enable.partition.eof", "true");
        // An input that has nothing new is known to have nothing only when its fetch is answered.
        self.default(&mut config, "fetch.wait.max.ms", 10);
        // Less than comes in that time isn't worth an answer of its own: at 4,000 records a second they were a
        // thousand.
        self.default(&mut config, "fetch.min.bytes", FETCH_MIN_BYTES);
        // librdkafka wants it to be no less than the other.
        self.default(&mut config, "fetch.max.bytes", FETCH_BYTES.max(self.record_bytes.unwrap_or(0)));
        self.default(&mut config, "fetch.message.max.bytes", PARTITION_BYTES);
        self.default(&mut config, "fetch.error.backoff.ms", 50);
        // A full queue is soon half empty; the default is a second.
        self.default(&mut config, "fetch.queue.backoff.ms", 2);
        self.default(&mut config, "queued.max.messages.kbytes", QUEUE_BYTES >> 10);
        config
    }

    /// A producer of transactions.
    pub(crate) fn producer(&self, transactional_id: &str) -> ClientConfig {
        let mut config = self.base("producer");
        config.set("transactional.id", transactional_id);
        config.set("transaction.timeout.ms", self.transaction_timeout.as_millis().to_string());
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("batch.size", self.batch_bytes.max(1).to_string());
        config.set("message.max.bytes", self.record_bytes().to_string());
        self.default(&mut config, "linger.ms", 1);
        // The coordinator is often still busy with the end of the last transaction.
        self.default(&mut config, "retry.backoff.ms", 5);
        // `Transactions::send` bounds the queue; here it need only be larger than the largest record.
        self.default(&mut config, "queue.buffering.max.kbytes", (self.record_bytes() >> 10) * 2);
        self.default(&mut config, "queue.buffering.max.messages", 200_000);
        config
    }

    fn consumer(&self, role: &str) -> ClientConfig {
        let mut config = self.base(role);
        config.set("group.id", &self.app);
        config.set("isolation.level", "read_committed");
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error");
        config
    }

    fn base(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.raw {
            config.set(name, value.expose());
        }
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("client.id", format!("{}-{}-{role}", self.app, self.instance));
        config.set("allow.auto.create.topics", "false");
        self.default(&mut config, "reconnect.backoff.ms", 50);
        self.default(&mut config, "reconnect.backoff.max.ms", 1_000);
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// Sets a value where the pipeline file sets none.
    fn default(&self, config: &mut ClientConfig, name: &str, value: impl ToString) {
        if !self.raw.iter().any(|(own, _)| own == name) {
            config.set(name, value.to_string());
        }
    }
}

/// How long transactions may be open, with the setting that it comes from.
fn said(raw: &[(String, Secret)], timeout: Duration) -> String {
    let ms = timeout.as_millis();
    if raw.iter().any(|(name, _)| name == "transaction.timeout.ms") {
        format!("\"transaction.timeout.ms\" under [kafka] is {ms}")
    } else if timeout > TRANSACTION_TIMEOUT {
        format!("`commit-interval` is {} ms, and transactions may be open for four times as long", ms / 4)
    } else {
        format!(
            "transactions may be open for {ms} ms where \"transaction.timeout.ms\" under [kafka] doesn't say otherwise"
        )
    }
}

/// A setting as a number, if it is there.
fn number(raw: &[(String, Secret)], name: &str) -> Result<Option<u32>, Error> {
    let Some((_, value)) = raw.iter().find(|(own, _)| own == name) else { return Ok(None) };
    let wrong = || Error::Setup(format!("the setting `{name}` of the Kafka client must be a whole number"));
    value.expose().parse().map(Some).map_err(|_| wrong())
}

/// Makes a client that logs as everything else does.
pub(crate) fn client<T: FromClientConfigAndContext<LogContext>>(config: &ClientConfig) -> Result<T, Error> {
    config.create_with_context(LogContext).map_err(wrong_settings)
}

/// A client that can't be made: no other attempt will do better. The error itself would show the value.
pub(crate) fn wrong_settings(error: KafkaError) -> Error {
    Error::Setup(match error {
        KafkaError::ClientConfig(_, _, name, _) => {
            format!("the Kafka client doesn't take the value of its setting `{name}`")
        }
        KafkaError::ClientCreation(reason) => format!("the Kafka client can't be made: {reason}"),
        error => format!("the Kafka client can't be made: {error}"),
    })
}

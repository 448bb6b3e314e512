//! The engine's ports: guest calls, which [`Logic`](crate::logic::Logic) makes, and committed state ([`Backend`]).
//! Outputs are returned, not sent.

use bytes::Bytes;

use crate::record::{Header, Headers, Record, Timestamp, Window};

/// A deployment of a plugin: one component with one config, in one generation. The implementation of
/// [`Logic`](crate::logic::Logic) assigns the number, which stays the same while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentId(pub u32);

/// A function of a deployment, by its index in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Index in its manifest.
    pub function: u32,
}

/// How a call is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The ordinary call: a reused instance, limited by the clock.
    Batch,
    /// One record alone, after a batch with it has failed: a fresh instance, limited by fuel, so that the result is the
    /// same on every machine and in every replay.
    Verdict,
}

/// A record as a guest gets it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Name of the step or source that the record comes from.
    pub input: &'a str,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
    /// Event time.
    pub timestamp: Timestamp,
    /// Headers; empty unless the function wants them.
    pub headers: &'a [Header],
    /// Window, if the record has one.
    pub window: Option<Window>,
}

impl Record {
    /// The record as a guest gets it from the step `input`.
    pub(crate) fn message<'a>(&'a self, input: &'a str) -> Message<'a> {
        Message {
            input,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp: self.timestamp,
            headers: self.headers.as_slice(),
            window: self.window,
        }
    }
}

/// Two sides of a join.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The key both sides share.
    pub key: Option<&'a [u8]>,
    /// Left side.
    pub left: Option<Message<'a>>,
    /// Right side.
    pub right: Option<Message<'a>>,
    /// Event time of the result.
    pub timestamp: Timestamp,
}

/// A value of a store, with the version of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// State version.
    pub version: u32,
    /// The value.
    pub bytes: Bytes,
}

/// How an entry changes the state of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The aggregate adds the record.
    Add,
    /// The aggregate subtracts the record.
    Subtract,
}

/// All records of a batch that change the same state.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// Key.
    pub key: &'a [u8],
    /// Window, if the state has one.
    pub window: Option<Window>,
    /// State before the entries; `None` if there is none.
    pub state: Option<Stored>,
    /// States of sessions that are merged into this one, in order, before the entries. If there are any, `state` is
    /// `None`: the guest merges them into a new state.
    pub absorbed: Vec<Stored>,
    /// Changes of the state, in order. Without entries, the call asks for the value of the state.
    pub entries: Vec<(Change, Message<'a>)>,
}

/// Which results a call of an aggregate returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The result after each entry, as an output in the entry's outcome.
    Each,
    /// The result after the last entry only.
    Last,
}

/// The result of a [`Group`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouped {
    /// The new state; `None` deletes it.
    pub state: Option<Stored>,
    /// The result, in mode [`Mode::Last`].
    pub value: Option<Bytes>,
    /// One outcome per entry.
    pub outcomes: Vec<Outcome>,
    /// Indexes of the entries that deleted the state, ascending: the entry after each began without a state.
    pub deleted_after: Vec<usize>,
}

impl Grouped {
    /// Appends the result of the entries that follow and began with this state.
    pub fn append(&mut self, next: Self) {
        let first = self.outcomes.len();
        self.deleted_after.extend(next.deleted_after.into_iter().map(|index| first.saturating_add(index)));
        self.outcomes.extend(next.outcomes);
        (self.state, self.value) = (next.state, next.value);
    }
}

/// A field of an output: inherited from the input, null, or new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The input's field.
    Inherit,
    /// Null.
    Null,
    /// These bytes.
    Bytes(Bytes),
}

/// A record that a function returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Index into the function's ports. The implementation of [`Logic`](crate::logic::Logic) checks it.
    pub port: u32,
    /// Key.
    pub key: Field,
    /// Value. Only transform and process functions may inherit it; the implementation of [`Logic`](crate::logic::Logic)
    /// checks that.
    pub value: Field,
    /// Event time; `None`: the input's.
    pub timestamp: Option<Timestamp>,
    /// Headers; `None`: the input's.
    pub headers: Option<Headers>,
}

/// Whether a retry can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// A retry can't succeed.
    Permanent,
    /// A retry may succeed.
    Transient,
}

/// Why a record failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether a retry can succeed.
    pub class: FailureClass,
    /// Code in counters and dead letters, such as `bad-value`.
    pub code: String,
    /// Description for people.
    pub text: String,
}

/// The result of a function for one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Outputs, in order.
    Outputs(Vec<Output>),
    /// The rule skipped the record on purpose, with a code.
    Skip(String),
    /// The record failed.
    Fail(Failure),
}

/// A side effect that a guest asked for. It takes effect with the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Adds to a counter of the plugin.
    Count {
        /// Name of the counter.
        name: String,
        /// How much.
        n: u64,
    },
    /// Writes a line to the log.
    Log {
        /// How serious: `debug`, `info`, `warn` or `error`.
        level: &'static str,
        /// The line.
        text: String,
    },
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called<T> {
    /// Result of the function.
    pub result: T,
    /// Side effects that it asked for.
    pub effects: Vec<Effect>,
}

/// Which limit or rule of the contract a guest broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The guest panicked or trapped.
    Trap,
    /// The call took too long.
    Deadline,
    /// The guest asked for more memory than its limit.
    Memory,
    /// The guest returned too many outputs or bytes.
    Output,
    /// The guest read or wrote its stores too often, or too many bytes.
    State,
    /// The guest returned something that the contract doesn't allow.
    Contract,
}

impl Fault {
    /// Code in counters and dead letters.
    pub fn code(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory-limit",
            Self::Output => "output-limit",
            Self::State => "state-limit",
            Self::Contract => "contract",
        }
    }
}

/// Why a call has no result, by what the engine does about it.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The guest broke a rule: the engine finds the record, asks for a verdict and dead-letters the record.
    #[error("{text}")]
    Guest {
        /// The rule that was broken.
        fault: Fault,
        /// Index of the record that the guest was processing, if known.
        at: Option<usize>,
        /// What happened, with the guest's own message if it has one.
        text: String,
    },
    /// The host failed (a store can't be read, an instance has no memory): the task stops, and nothing is committed.
    #[error("{0}")]
    Host(String),
    /// The [time limit](crate::logic::Logic::limit_time) of the calls has passed. No record has failed: the driver
    /// aborts the transaction and retries with fewer records.
    #[error("the time for guest calls is over")]
    Overrun,
}

/// The clock of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clock {
    /// Stream time: the highest timestamp that the step has processed.
    Stream,
    /// The driver's clock.
    Wall,
}

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<'a> {
    /// Key of the record that set the timer.
    pub key: Option<&'a [u8]>,
    /// Name of the timer.
    pub name: &'a str,
    /// Time for which it was set.
    pub time: Timestamp,
    /// Clock of the timer.
    pub clock: Clock,
}

/// A store of a task: index into the topology's stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(pub usize);

/// Committed state can't be read.
#[derive(Debug, thiserror::Error)]
#[error("store `{store}`: {reason}")]
pub struct BackendError {
    /// Name of the store.
    pub store: String,
    /// Why it can't be read.
    pub reason: String,
}

/// Whether a scan continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// With the next entry.
    Continue,
    /// The scan ends.
    Stop,
}

/// The committed state of one task. The engine keeps the writes of the open transaction in an overlay.
pub trait Backend: Send {
    /// The value of a key.
    fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError>;

    /// Visits the entries from `from` (inclusive) to `to` (exclusive; `None`: the end), in the order of their keys.
    fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError>;
}

/// Number of [parts](crate::state::keys::part) of a window store whose entries expire: the parts before this number.
pub const TIMED_PARTS: usize = 2;

/// The lowest timestamp that a window store keeps, for each [`part`](crate::state::keys::part) whose entries expire:
/// each side of a join has a stream time of its own.
pub type Horizons = [Timestamp; TIMED_PARTS];

/// The changes of a transaction to one store: keys with their new values, `None` for deleted keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreChanges {
    /// The store.
    pub store: StoreId,
    /// Changed entries, in the order of their keys; each key once.
    pub entries: Vec<(Bytes, Option<Bytes>)>,
    /// For a window store: entries with earlier timestamps have expired, and may be deleted from disk.
    pub expire_before: Option<Horizons>,
}

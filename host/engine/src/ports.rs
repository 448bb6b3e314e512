//! What the engine asks of the world: guest calls, as [`Logic`](crate::logic::Logic) makes them, and committed state
//! ([`Backend`]). Outputs are returned, not sent.

use bytes::Bytes;

use crate::record::{Header, Headers, Record, Timestamp, Window};

/// A deployment of a plugin: one component with one config, in one generation. Handed out by the implementation of
/// [`Logic`](crate::logic::Logic); a number that stays the same while the process lives.
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

/// How seriously a call is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The ordinary case: a reused instance, limits by the clock.
    Batch,
    /// One record alone, after a batch with it has failed: a fresh instance, limits by fuel, so that the answer is
    /// the same on every machine and every replay.
    Verdict,
}

/// One record, as a guest sees it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Name of the step or source it came from.
    pub input: &'a str,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
    /// Event time.
    pub timestamp: Timestamp,
    /// Headers; empty unless the function wants them.
    pub headers: &'a [Header],
    /// Its window, where it has one.
    pub window: Option<Window>,
}

impl Record {
    /// The record as a guest sees it, coming from the step `input`.
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

/// A value of a store with the version of the format it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// State version.
    pub version: u32,
    /// The value.
    pub bytes: Bytes,
}

/// What a record does to the state of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is added.
    Add,
    /// It is taken back.
    Subtract,
}

/// All records of a batch that go to the same state.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// Key.
    pub key: &'a [u8],
    /// Window, where there is one.
    pub window: Option<Window>,
    /// The state so far.
    pub state: Option<Stored>,
    /// States of sessions that become one with this: merged into it before the entries, in order. Where there are any,
    /// `state` is none: merging begins with a new one.
    pub absorbed: Vec<Stored>,
    /// What changes it, in order. None: the value of the state is asked for.
    pub entries: Vec<(Change, Message<'a>)>,
}

/// What an aggregate is to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The result after each entry, as an output of its outcome.
    Each,
    /// The result after the last entry only.
    Last,
}

/// A group afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouped {
    /// The new state; `None` deletes it.
    pub state: Option<Stored>,
    /// The result in mode [`Mode::Last`].
    pub value: Option<Bytes>,
    /// One outcome an entry.
    pub outcomes: Vec<Outcome>,
    /// Indexes of the entries after which the state was gone, ascending: the next one began with none.
    pub deleted_after: Vec<usize>,
}

impl Grouped {
    /// Goes on with what became of the entries after these, which began with the state of these.
    pub fn append(&mut self, next: Self) {
        let first = self.outcomes.len();
        self.deleted_after.extend(next.deleted_after.into_iter().map(|index| first.saturating_add(index)));
        self.outcomes.extend(next.outcomes);
        (self.state, self.value) = (next.state, next.value);
    }
}

/// A field of an output: taken over from the input, null, or new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// That of the input.
    Inherit,
    /// Null.
    Null,
    /// These bytes.
    Bytes(Bytes),
}

/// One record that a function puts out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Index into the function's ports; checked by the implementation of [`Logic`](crate::logic::Logic).
    pub port: u32,
    /// Key.
    pub key: Field,
    /// Value; `Inherit` only from a transform or process function, checked by the implementation of [`Logic`](crate::logic::Logic).
    pub value: Field,
    /// Event time, where it isn't the input's.
    pub timestamp: Option<Timestamp>,
    /// Headers, where they aren't the input's.
    pub headers: Option<Headers>,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// It can't.
    Permanent,
    /// It may.
    Transient,
}

/// Why a record failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether trying again can help.
    pub class: FailureClass,
    /// Label of a metric, such as `bad-value`.
    pub code: String,
    /// For a person.
    pub text: String,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was processed; outputs in order.
    Outputs(Vec<Output>),
    /// Left out on purpose, with a code.
    Skip(String),
    /// It failed.
    Fail(Failure),
}

/// What guests asked for beside their outcomes. Takes effect with the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Add to a counter of the plugin's own.
    Count {
        /// Name of the counter.
        name: String,
        /// How much.
        n: u64,
    },
    /// A line for the log.
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
    /// What the function answered.
    pub result: T,
    /// What it asked for beside.
    pub effects: Vec<Effect>,
}

/// Which rule a guest broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It panicked or trapped.
    Trap,
    /// It took too long.
    Deadline,
    /// It wanted more memory than it may have.
    Memory,
    /// It put out too many outputs or bytes.
    Output,
    /// It made too many calls to its stores, or with too many bytes.
    State,
    /// It answered something the contract doesn't allow.
    Contract,
}

impl Fault {
    /// The code it has in metrics and dead letters.
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

/// Why a call gave no result. Grouped by what the engine does about it.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The guest's doing: the engine finds the record, asks for a verdict and dead-letters it.
    #[error("{text}")]
    Guest {
        /// The rule that was broken.
        fault: Fault,
        /// Index of the record it worked on, where that is known.
        at: Option<usize>,
        /// What happened, with the guest's own words where it had any.
        text: String,
    },
    /// The host's doing (a store that can't be read, no memory for an instance): the task stops, nothing is
    /// committed.
    #[error("{0}")]
    Host(String),
    /// The [time](crate::logic::Logic::limit_time) for the calls is over. That is no verdict on any record: nothing of the open
    /// transaction is committed, and the driver tries again with fewer records.
    #[error("the time for guest calls is over")]
    Overrun,
}

/// What a timer is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clock {
    /// Event time: the highest timestamp that the step has seen.
    Stream,
    /// The driver's clock.
    Wall,
}

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<'a> {
    /// Key of the record that set it.
    pub key: Option<&'a [u8]>,
    /// Name it was set under.
    pub name: &'a str,
    /// The time it was set for.
    pub time: Timestamp,
    /// The clock it was set on.
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
    /// What the database said.
    pub reason: String,
}

/// Whether a scan goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Next entry, please.
    Continue,
    /// Enough.
    Stop,
}

/// The committed state of one task. What is written in an open transaction lies over it, in the engine.
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

/// How many [parts](crate::state::keys::part) of a window store expire with time.
pub const TIMED_PARTS: usize = 2;

/// For each [`part`](crate::state::keys::part) of a window store that time makes expire, the first timestamp that is kept:
/// the sides of a join have times of their own.
pub type Horizons = [Timestamp; TIMED_PARTS];

/// What a transaction changes in one store: a key with its new value, `None` to delete it. Each key once, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreChanges {
    /// The store.
    pub store: StoreId,
    /// Entries.
    pub entries: Vec<(Bytes, Option<Bytes>)>,
    /// Of a window store: entries with an earlier timestamp are expired, and may be dropped from disk.
    pub expire_before: Option<Horizons>,
}

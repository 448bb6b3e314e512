//! Errors, grouped by what the caller does about them.

pub(crate) mod codes;
pub(crate) mod refusals;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use millrace_engine::topology::PartitionMismatch;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use self::codes::{Class, class, describe};
use self::refusals::Refusals;

/// Why an app can't start, or can't go on. Those after which another start may go well are told apart by
/// [`is_passing`](Error::is_passing).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A person has to mend the pipeline, the topics or the folder.
    #[error("{0}")]
    Setup(String),
    /// External topics are missing: make them.
    #[error("missing topics: `{0}`; make them (`millrace topic create`), and it goes on")]
    Missing(String),
    /// Topics don't have the partitions that a step needs: make them anew.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Partitions(Vec<PartitionMismatch>),
    /// Another process has the folder: stop that process, or choose another folder.
    #[error("{}: another process runs on this folder; stop it, or give this one a folder of its own with --data", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The folder belongs to something else: choose another one.
    #[error("{}: {reason}", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What the folder holds instead.
        reason: String,
    },
    /// Another process has taken over this one's transactional ids: only one of them may go on.
    #[error(
        "another process has taken over the transactional id `{id}`: it runs on a copy of this folder; give each \
         process a folder of its own"
    )]
    TakenOver {
        /// The id.
        id: String,
    },
    /// A task can't go on, and would fail again.
    #[error("{0}")]
    Task(String),
    /// The cluster has changed under the running app in a way that only a start takes in: start it again.
    #[error("{0}")]
    Changed(String),
    /// A thread has failed, hangs or can't be started: start the process again.
    #[error("{0}")]
    Thread(String),
    /// No broker answers: try again later.
    #[error("{0}")]
    Unreachable(String),
    /// Local state can't be read or written.
    #[error(transparent)]
    Store(#[from] millrace_store::Error),
    /// A request to the cluster has failed.
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
    /// A call into librdkafka doesn't come back.
    #[error("a call to Kafka hangs")]
    Hangs,
    /// A file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        error: std::io::Error,
    },
}

impl Error {
    /// Whether the same start may succeed later without a change of files, settings or topics.
    pub fn is_passing(&self) -> bool {
        match self {
            // The process that has the folder may be about to end.
            Self::Changed(_) | Self::Thread(_) | Self::Unreachable(_) | Self::InUse { .. } | Self::Hangs => true,
            // Two processes that take the ids from each other in turn would only stop each other.
            Self::TakenOver { .. } => false,
            Self::Setup(_) | Self::Missing(_) | Self::Partitions(_) | Self::NotOurs { .. } | Self::Task(_) => false,
            Self::Store(error) => error.is_passing(),
            Self::Kafka(error) => code(error).is_none_or(|code| {
                matches!(class(code), Class::Passing | Class::Group | Class::Fence | Class::Neighbour)
            }),
            Self::File { error, .. } => is_passing_io(error),
        }
    }
}

/// A disk may have room again; a folder that may not be written, or is none, stays so.
fn is_passing_io(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    !matches!(error.kind(), AlreadyExists | IsADirectory | NotADirectory | PermissionDenied | ReadOnlyFilesystem)
}

/// What a worker does about an error.
#[derive(Debug)]
pub(crate) enum Reaction {
    /// The transaction can't be committed: abort it, drop its changes, and go on from what is committed.
    Abort(String),
    /// A record couldn't be written, and may be later. The same, but tasks that have no part in the transaction go on,
    /// and the others are tried one by one (`worker/isolation.rs`).
    Unwritten(String),
    /// The outcome of the transaction is unknown, or the producer is of no more use: make a new one, which fences
    /// requests in flight, and go on from what is committed.
    Rebuild(String),
    /// The guest calls of this step took so long that the transaction could have become too old. The same as
    /// [`Abort`](Self::Abort), with fewer records at a time.
    CutOff(String),
    /// Brokers have refused records. The same, and the worker learns which.
    Refused(Refusals),
    /// The worker can't go on. Another one may.
    Fail(Error),
    /// No worker can go on.
    Stop(Error),
}

impl From<Error> for Reaction {
    fn from(error: Error) -> Self {
        match error {
            Error::Kafka(error) => Self::Rebuild(describe(&error)),
            Error::Store(error) => error.into(),
            Error::File { .. } => Self::Fail(error),
            _ => Self::Stop(error),
        }
    }
}

impl From<millrace_store::Error> for Reaction {
    fn from(error: millrace_store::Error) -> Self {
        match error {
            // No worker finds it again.
            millrace_store::Error::Gone { .. } => Self::Stop(error.into()),
            error => Self::Fail(error.into()),
        }
    }
}

/// The code of an error, whatever kind it is of.
pub(crate) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    }
}

/// The text of an error of a transaction, with the likely cause where the transaction was open for too long:
/// librdkafka's text speaks of another producer then, and there is none.
pub(crate) fn with_age(open: Option<Instant>, most: Duration, text: String) -> String {
    match open.map(|began| began.elapsed()).filter(|age| *age >= most) {
        Some(age) => {
            let (age, most) = (age.as_millis(), most.as_millis());
            format!("the transaction was open for {age} ms, and the broker ends one after {most} ms: {text}")
        }
        None => text,
    }
}

//! Errors of the driver, by what the caller does about them.

use millrace_engine::contents::Changed;
use millrace_engine::deployment::DeploymentRefused;
use millrace_engine::task::TaskError;

use crate::log::LogError;

/// The app can't go on. Nothing of the open transaction was committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pipeline doesn't fit the topics that are there: mend the pipeline.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Partitions(Vec<millrace_engine::topology::PartitionMismatch>),
    /// A task can't go on: see the reason, and start anew.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The database can't be read or written.
    #[error(transparent)]
    Store(#[from] millrace_store::Error),
    /// The log can't be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A plugin can't take over from the one that ran before: go back to that one, or start with a new folder.
    #[error(transparent)]
    Deployment(#[from] DeploymentRefused),
    /// A step would misread the state that is there: see why.
    #[error("{0}; or start anew in another folder (--data)")]
    Contents(Changed),
    /// The folder belongs to another app: use another one.
    #[error("the folder belongs to app `{owner}`; use another --data for `{app}`")]
    OtherApp {
        /// The app that it belongs to.
        owner: String,
        /// The app that was to run.
        app: String,
    },
    /// The plugins can't be loaded, or don't fit the pipeline: see the reason.
    #[error("{0}")]
    Plugins(String),
    /// Too many records fail since a deployment, and the app can't go back: deploy another version.
    #[error("{}", millrace_engine::deployment::Flooded::HELD)]
    Flooded,
    /// The folder of requests can't be read or written.
    #[error("{}: requests for deployments can't be read or written", path.display())]
    Requests {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The inbox can't be read or written.
    #[error("{}: the inbox can't be read or written", path.display())]
    Inbox {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// An output can't be passed on: see why.
    #[error("the output can't be written")]
    Output(#[source] std::io::Error),
    /// A record from outside can't be taken: mend the input.
    #[error("{0}")]
    Input(String),
}

impl Error {
    /// Whether the same start may succeed later if nothing changes but the disk. If the folder is gone, it may not: the
    /// log is gone with it, and a start would silently begin a new one.
    pub fn is_passing(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Store(error) | Self::Log(LogError::Store(error)) => {
                error.is_passing() && !matches!(error, millrace_store::Error::Gone { .. })
            }
            Self::Inbox { source, .. } | Self::Requests { source, .. } | Self::Output(source) => {
                matches!(source.kind(), StorageFull | QuotaExceeded)
            }
            Self::Partitions(_)
            | Self::Task(_)
            | Self::Log(_)
            | Self::Deployment(_)
            | Self::Plugins(_)
            | Self::Flooded
            | Self::Contents(_)
            | Self::OtherApp { .. }
            | Self::Input(_) => false,
        }
    }
}

// The text has it all: as a source it would be printed twice.
impl From<Changed> for Error {
    fn from(changed: Changed) -> Self {
        Self::Contents(changed)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;

    use super::*;

    #[test]
    fn an_error_does_not_repeat_the_text_of_its_source() {
        let full = || io::Error::other("the disk is full");
        for error in [Error::Inbox { path: "inbox".into(), source: full() }, Error::Output(full())] {
            let mut said = error.to_string();
            let mut link = error.source();
            while let Some(error) = link {
                said += &format!(": {error}");
                link = error.source();
            }
            assert_eq!(said.matches("the disk is full").count(), 1, "{said}");
        }
    }
}

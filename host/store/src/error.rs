//! Errors of a database, by what the caller does about them.

use std::path::{Path, PathBuf};

/// Why a database can't be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has the database open: stop that process, or choose another folder.
    #[error("{}: in use by another process; stop it, or choose another folder", path.display())]
    Locked {
        /// Folder of the database.
        path: PathBuf,
    },
    /// The folder is no database of Millrace's, or has a format that this version doesn't know: choose another folder
    /// or version.
    #[error("{}: {reason}", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What the folder is instead.
        reason: String,
    },
    /// The data on disk is damaged: restore it from a copy, or delete it and start again.
    #[error(
        "{}: the database is damaged: {reason}; put back a copy of the folder, or move it away and begin with a new one, which \
         on Kafka is restored from the changelogs",
        path.display()
    )]
    Corrupt {
        /// Folder of the database.
        path: PathBuf,
        /// RocksDB's message.
        reason: String,
    },
    /// The disk is full: make room. Some seconds later, the database accepts writes again.
    #[error("{}: no space left on the disk", path.display())]
    Full {
        /// Folder of the database.
        path: PathBuf,
    },
    /// The folder was deleted or moved, or its disk is no longer there, while the database was open: stop.
    #[error("{}: the folder is gone while it was in use: it was deleted or moved, or its disk is no longer mounted", path.display())]
    Gone {
        /// Folder of the database.
        path: PathBuf,
    },
    /// There is no store or family of this name: the caller's mistake.
    #[error("{}: there is no {what}", path.display())]
    Unknown {
        /// Folder of the database.
        path: PathBuf,
        /// What was asked for.
        what: String,
    },
    /// Another failure: stop.
    #[error("{}: {reason}", path.display())]
    Other {
        /// Folder of the database.
        path: PathBuf,
        /// What failed, and why.
        reason: String,
    },
}

impl Error {
    /// Whether the same start may succeed later if nothing changes but the disk.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Full { .. } | Self::Gone { .. } | Self::Other { .. } => true,
            Self::NotOurs { .. } | Self::Corrupt { .. } | Self::Unknown { .. } => false,
        }
    }

    /// Classifies an error of RocksDB by its kind and its text.
    pub(crate) fn from_rocksdb(path: &Path, error: &rocksdb::Error) -> Self {
        let text: &str = error.as_ref();
        let path = path.to_owned();
        // The texts are from fs_posix.cc and io_posix.cc; the C interface passes on nothing else.
        if text.contains("While lock file") || text.contains("lock hold by current process") {
            Self::Locked { path }
        } else if text.contains("No space left on device") {
            Self::Full { path }
        } else if text.contains("No such file or directory") && !path.exists() {
            Self::Gone { path }
        } else if error.kind() == rocksdb::ErrorKind::Corruption || text.contains("No such file or directory") {
            Self::Corrupt { path, reason: text.to_owned() }
        } else {
            Self::Other { path, reason: text.to_owned() }
        }
    }

    /// An error of the file system.
    pub(crate) fn from_io(path: &Path, doing: &str, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::Full { path },
            std::io::ErrorKind::NotADirectory => Self::NotOurs { path, reason: "this isn't a folder".into() },
            _ => Self::Other { path, reason: format!("can't {doing}: {error}") },
        }
    }

    pub(crate) fn unknown_family(path: &Path, family: &str) -> Self {
        Self::Unknown { path: path.to_owned(), what: format!("column family `{family}`") }
    }
}

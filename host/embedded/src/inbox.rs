//! The inbox: how another process gets records into the log of a running app, which alone can write to its database.
//!
//! The other process writes a file of records and moves it into the inbox's folder. The app appends the records and
//! marks the file's name as imported in one batch, then deletes the file; a file that is already marked is only
//! deleted. So each file is imported exactly once, whenever either process dies.

mod file;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use millrace_store::Batch;

use crate::error::Error;
use crate::files::{self, create_folder, sync_folder};
use crate::log::NewRecord;
use crate::worker::Worker;

/// The inbox of a running app.
pub(crate) struct Inbox {
    folder: PathBuf,
    /// Entries of the folder that are no files of records, as of the last look: each is logged once.
    strays: RefCell<BTreeSet<OsString>>,
}

/// A record for a partition of the app's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRecord {
    /// Name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// The record.
    pub record: NewRecord,
}

/// Leaves records in the folder of an inbox, for the app that runs there. When this returns, they survive a power
/// failure.
///
/// # Errors
/// The file can't be written.
pub fn leave_records(folder: &Path, name: &str, records: &[InboxRecord]) -> Result<(), Error> {
    let left = files::leave(folder, name, &file::encode(records));
    left.map_err(|source| Error::Inbox { path: folder.into(), source })
}

impl Inbox {
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        create_folder(folder).map_err(|source| Error::Inbox { path: folder.into(), source })?;
        Ok(Self { folder: folder.into(), strays: RefCell::default() })
    }

    /// Imports the next file, by name, and commits. Tells whether there was one. A file that can't be imported is kept
    /// under its name with `.refused`, and the reason is logged: no record is lost, and the app goes on.
    pub(crate) fn import_next(&self, worker: &mut Worker, now: i64) -> Result<bool, Error> {
        let Listing { next, new_strays } = self.list().map_err(|source| self.failed(source))?;
        for stray in new_strays {
            let file = self.folder.join(stray);
            tracing::warn!(file = %file.display(), "this is no file of records: it stays in the inbox");
        }
        let Some(name) = next else { return Ok(false) };
        let path = self.folder.join(&name);
        let mark = format!("inbox/{name}");
        if worker.log().control(mark.as_bytes())?.is_none() {
            let bytes = fs::read(&path).map_err(|source| self.failed(source))?;
            let records = match file::read(worker.log(), bytes.into()) {
                Ok(records) => records,
                Err(reason) => return self.set_aside(&name, &reason).map(|()| true),
            };
            for (topic, partition, record) in records {
                worker.append_to_log(topic, partition, record, now)?;
            }
            let mut batch = Batch::new(worker.log().database());
            worker.log().put_control(&mut batch, mark.as_bytes(), b"")?;
            worker.commit_with(batch)?;
        }
        // The file must not come back after a power failure once its mark is deleted: its records would be imported
        // twice.
        fs::remove_file(&path).and_then(|()| sync_folder(&self.folder)).map_err(|source| self.failed(source))?;
        let mut batch = Batch::new(worker.log().database());
        worker.log().delete_control(&mut batch, mark.as_bytes())?;
        worker.commit_with(batch)?;
        Ok(true)
    }

    fn set_aside(&self, name: &str, reason: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        let mut aside = self.folder.join(format!("{name}.refused"));
        // An earlier file may have been refused under the same name.
        let mut number = 2;
        while aside.symlink_metadata().is_ok() {
            aside = self.folder.join(format!("{name}.{number}.refused"));
            number += 1;
        }
        tracing::error!(file = %path.display(), kept_as = %aside.display(), reason, "the log can't take these records: the file is kept");
        fs::rename(path, aside).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Inbox { path: self.folder.clone(), source }
    }

    /// Finds the next file, by name. Other entries of the folder don't stop the app.
    fn list(&self) -> io::Result<Listing> {
        let (mut names, mut strays) = (BTreeSet::new(), BTreeSet::new());
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") || bytes.ends_with(b".refused") {
                continue;
            }
            // `None`: the entry was deleted meanwhile.
            let Some(kind) = entry.file_type().map(Some).or_else(none_if_gone)? else { continue };
            match name.into_string() {
                Ok(name) if kind.is_file() => drop(names.insert(name)),
                Ok(name) => drop(strays.insert(name.into())),
                Err(name) => drop(strays.insert(name)),
            }
        }
        let new_strays = strays.difference(&self.strays.borrow()).cloned().collect();
        self.strays.replace(strays);
        Ok(Listing { next: names.pop_first(), new_strays })
    }
}

/// The entries of the folder.
struct Listing {
    /// The first file of records.
    next: Option<String>,
    /// Entries that are no files of records (folders, links, names that aren't UTF-8) and weren't there at the last
    /// look.
    new_strays: Vec<OsString>,
}

fn none_if_gone<T>(error: io::Error) -> io::Result<Option<T>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
}

//! Starting anew: an app's committed offsets, its internal topics and its state on disk are deleted, and nothing else.
//!
//! A [`Reset`] is first planned, with all checks, and then carried out. Topics are taken from the app's own list of
//! those it has made, in its control topic; that one goes last, so that a reset that was cut off can be done again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use millrace_store::{Database, OpenOptions};
use serde::Deserialize;

use crate::cluster::internal_topics::{self, Purpose};
use crate::commands::records::Connection;
use crate::control;
use crate::error::Error;
use crate::state::folder;

/// The offsets, topics and state of an app that are to be deleted.
pub struct Reset {
    app: String,
    group: bool,
    topics: Vec<String>,
    state: Option<LocalState>,
}

/// State on disk, which no other process can open meanwhile.
struct LocalState {
    path: PathBuf,
    /// Open, so that no other process uses it; none where it is damaged.
    database: Option<Database>,
}

/// The identity file of a folder.
#[derive(Deserialize)]
struct Owner {
    app: String,
    cluster: String,
}

impl Reset {
    /// Finds what belongs to the app, and checks that it may be deleted.
    ///
    /// # Errors
    /// [`Error::Setup`]: processes of the app are running. [`Error::NotOurs`]: the folder belongs to something else.
    /// [`Error::InUse`]: a process runs on it. Otherwise a broker doesn't answer.
    pub fn plan(connection: &Connection, app: &str, data: Option<&Path>) -> Result<Self, Error> {
        let group = connection.has_group(app)?;
        let topics = control::noted(connection.settings(), &connection.cluster()?, app)?.topics;
        let there = |name: &String| connection.topics().contains_key(name) && Purpose::of(app, name).is_some();
        let mut topics: Vec<_> = topics.into_iter().filter(there).collect();
        topics.sort_by_key(|name| *name == internal_topics::control(app));
        let state = data.map(|data| open(connection, app, data)).transpose()?.flatten();
        Ok(Self { app: app.into(), group, topics, state })
    }

    /// Whether there is nothing to delete.
    pub fn is_empty(&self) -> bool {
        !self.group && self.topics.is_empty() && self.state.is_none()
    }

    /// What it deletes, a line each.
    pub fn parts(&self) -> Vec<String> {
        let group = self.group.then(|| format!("committed offsets of the group `{}`", self.app));
        let topics = self.topics.iter().map(|name| format!("internal topic `{name}`"));
        let state = self.state.iter().map(|state| format!("state in {}", state.path.display()));
        group.into_iter().chain(topics).chain(state).collect()
    }

    /// Deletes all of it.
    ///
    /// # Errors
    /// A process of the app has started since, or a broker or the file system refuses. What is left then goes with the
    /// next reset.
    pub fn run(self, connection: &mut Connection) -> Result<(), Error> {
        if self.group {
            connection.cluster()?.delete_group(&self.app)?;
        }
        let topics: Vec<_> = self.topics.iter().map(String::as_str).collect();
        let (control, others): (Vec<_>, Vec<_>) =
            topics.into_iter().partition(|name| *name == internal_topics::control(&self.app));
        connection.delete(&others)?;
        if let Some(state) = self.state {
            state.delete()?;
        }
        connection.delete(&control)
    }
}

/// The state in a folder; `None` if there is none.
fn open(connection: &Connection, app: &str, path: &Path) -> Result<Option<LocalState>, Error> {
    let not_ours = |reason: String| Error::NotOurs { path: path.into(), reason };
    if !folder::is_instance(path) {
        return match path.join("db").exists() {
            true => Err(not_ours("it holds an embedded log, and nothing of an app on Kafka".into())),
            false => Ok(None),
        };
    }
    let file_error = |error| Error::File { path: path.into(), error };
    let bytes = fs::read(path.join("instance.json")).map_err(file_error)?;
    let owner: Owner = serde_json::from_slice(&bytes).map_err(|error| not_ours(format!("not one of ours: {error}")))?;
    if owner.app != app {
        return Err(not_ours(format!("it belongs to the app `{}`, and not to `{app}`", owner.app)));
    }
    let cluster = connection.cluster()?.id()?;
    if owner.cluster != cluster {
        return Err(not_ours(format!("its state is that of the cluster {}, and this is {cluster}", owner.cluster)));
    }
    // With none of its stores: it is only to be locked. No process uses a damaged one.
    let database = match Database::open(&path.join("db"), &OpenOptions::new(&[])) {
        Ok(database) => Some(database),
        Err(millrace_store::Error::Corrupt { .. }) => None,
        Err(millrace_store::Error::Locked { .. }) => return Err(Error::InUse { path: path.into() }),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(LocalState { path: path.into(), database }))
}

impl LocalState {
    /// The identity file goes last, and the folder only if nothing else is in it.
    fn delete(self) -> Result<(), Error> {
        let Self { path, database } = self;
        drop(database);
        let there = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::File { path: path.clone(), error }),
            _ => Ok(()),
        };
        there(fs::remove_dir_all(path.join("db")))?;
        there(fs::remove_file(path.join("catalog.json")))?;
        there(fs::remove_file(path.join("instance.json")))?;
        match fs::remove_dir(&path) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            result => there(result),
        }
    }
}

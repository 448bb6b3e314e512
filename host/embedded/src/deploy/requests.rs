//! Requests to the app that runs on a data folder, which alone can write to its database: another process leaves a file,
//! and the app leaves an answer beside it.
//!
//! | file | content |
//! |---|---|
//! | `<digest>.wasm` | a component that a request needs; it is there before the request |
//! | `<name>.request` | a [`Request`] as JSON |
//! | `<name>.answer` | an [`Answer`] as JSON |

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use millrace_engine::deployment::{Act, Author};
use serde::{Deserialize, Serialize};

use crate::clock::wall_clock;
use crate::error::Error;
use crate::files;

/// How often a process looks for the answer.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A request that is older isn't done: it was left while no app ran, and its sender is gone.
const MOST_AGE_MS: i64 = 10 * 60_000;

const REQUEST: &str = ".request";
const ANSWER: &str = ".answer";

/// A request to change the deployments of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The change.
    pub act: Act,
    /// The user who wants it.
    pub author: Author,
}

/// The answer of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done: the generations of the plugins.
    Done(BTreeMap<String, u32>),
    /// It can't be done: the reason.
    Refused(String),
}

/// The folder of requests.
#[derive(Clone, Debug)]
pub(super) struct Requests(PathBuf);

impl Requests {
    /// The folder of requests of a data folder.
    pub(super) fn of(data: &Path) -> Self {
        Self(data.join("deploy"))
    }

    pub(super) fn failed(&self, source: io::Error) -> Error {
        Error::Requests { path: self.0.clone(), source }
    }

    /// The name of the oldest request, if there is any.
    pub(super) fn next(&self) -> Result<Option<String>, Error> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(|source| self.failed(source))?,
        };
        let mut first: Option<String> = None;
        for entry in entries {
            let name = entry.map_err(|source| self.failed(source))?.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(REQUEST)) else { continue };
            if !name.starts_with('.') && first.as_deref().is_none_or(|first| name < first) {
                first = Some(name.to_owned());
            }
        }
        Ok(first)
    }

    /// Reads a request; `None` if it was withdrawn. The error is for the process that left it.
    pub(super) fn read(&self, name: &str) -> Result<Option<Request>, String> {
        let bytes = match fs::read(self.0.join(format!("{name}{REQUEST}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|error| format!("the request can't be read: {error}"))?,
        };
        let request = serde_json::from_slice::<Request>(&bytes);
        let request = request.map_err(|error| format!("the request can't be read: {error}"))?;
        match wall_clock().saturating_sub(request.author.at) {
            age if age > MOST_AGE_MS => Err("the request is old: its sender waits no longer".into()),
            _ => Ok(Some(request)),
        }
    }

    /// Reads a component that a request needs; `None` if it isn't there.
    pub(super) fn component(&self, digest: &str) -> Result<Option<Arc<[u8]>>, Error> {
        match fs::read(self.0.join(component_name(digest))) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Answers a request, and deletes it.
    pub(super) fn answer(&self, name: &str, answer: &Answer) -> Result<(), Error> {
        let bytes = serde_json::to_vec(answer).unwrap_or_default();
        let left = files::leave(&self.0, &format!("{name}{ANSWER}"), &bytes);
        left.and_then(|()| files::remove(&self.0, &format!("{name}{REQUEST}"))).map_err(|source| self.failed(source))
    }

    /// Deletes components once no request waits for them, and answers that nobody has fetched for an hour.
    pub(super) fn tidy(&self) {
        const HOUR: Duration = Duration::from_secs(3600);
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let age = entry.metadata().and_then(|file| file.modified()).map(|at| at.elapsed().unwrap_or_default());
            if [".wasm", ANSWER].iter().any(|end| name.ends_with(end)) && age.is_ok_and(|age| age > HOUR) {
                // One that stays takes up space, and harms nothing.
                drop(files::remove(&self.0, &name));
            }
        }
    }
}

fn component_name(digest: &str) -> String {
    format!("{digest}.wasm")
}

/// Asks the app that runs on a data folder, and waits for its answer. `None` if `go_on` turns false before, and the
/// request is withdrawn.
///
/// # Errors
/// The request can't be written, or the answer can't be read.
pub fn ask(
    data: &Path,
    request: &Request,
    components: &[(String, Arc<[u8]>)],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Answer>, Error> {
    let requests = Requests::of(data);
    let (folder, failed) = (&requests.0, |source| requests.failed(source));
    for (digest, bytes) in components {
        files::leave(folder, &component_name(digest), bytes).map_err(failed)?;
    }
    let name = format!("{:020}-{:010}", wall_clock(), std::process::id());
    let bytes = serde_json::to_vec(request).unwrap_or_default();
    files::leave(folder, &format!("{name}{REQUEST}"), &bytes).map_err(failed)?;
    let answer = format!("{name}{ANSWER}");
    loop {
        match fs::read(folder.join(&answer)) {
            Ok(bytes) => {
                files::remove(folder, &answer).map_err(failed)?;
                let answer = serde_json::from_slice(&bytes);
                return answer
                    .map(Some)
                    .map_err(|error| Error::Input(format!("the app's answer can't be read: {error}")));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Err(_) if go_on() => std::thread::sleep(LOOK_INTERVAL),
            Err(_) => {
                files::remove(folder, &format!("{name}{REQUEST}")).map_err(failed)?;
                return Ok(None);
            }
        }
    }
}

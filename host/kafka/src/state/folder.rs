//! The folder of an instance: its identity, and its state on disk.
//!
//! ```text
//! instance.json   app, id and cluster
//! catalog.json    tables and how their keys are written, for commands that read them without the pipeline
//! db/             the state
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_engine::manifest::KeyCodec;
use millrace_engine::topology::{StoreKind, Topology};
use millrace_store::{Database, Family, OpenOptions, Shape, Wal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

/// The column family of the changelog positions that the state reflects.
pub(crate) const POSITIONS: &str = "positions";

const FAMILIES: [Family<'static>; 1] = [Family { name: POSITIONS, shape: Shape::Entries }];

/// Bytes of cached blocks and write buffers.
const CACHE_BYTES: usize = 48 << 20;

/// The format that this version writes. A folder of a later one is refused.
const FORMAT_VERSION: u32 = 1;

/// The owner of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    format: u32,
    app: String,
    /// Stays as long as the folder does: it is part of the transactional ids, so a process that is started again ends
    /// the transactions that it left open.
    instance: String,
    cluster: String,
}

/// The open folder of an instance. While it is open, no other process can open it.
pub struct Folder {
    /// The instance's id.
    pub instance: String,
    /// Its state.
    pub database: Arc<Database>,
}

impl Folder {
    /// Opens the folder for an app, or makes it one of the app's if it is empty or missing.
    ///
    /// # Errors
    /// [`Error::InUse`]: another process has it. [`Error::NotOurs`]: it belongs to another app or cluster, to the
    /// embedded driver or to a later version.
    pub fn open(path: &Path, topology: &Topology, cluster: &str) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(|error| file_error(path, error))?;
        let known = identity(path)?;
        if known.is_none() && path.join("db").exists() {
            return Err(not_ours(path, "it holds an embedded log: it can only run without --kafka"));
        }
        if let Some(known) = &known {
            check(path, known, &topology.app, cluster)?;
        }
        let identity = claim(path, known, topology, cluster)?;
        let options = OpenOptions {
            families: &FAMILIES,
            wal: Wal::WithoutWindows,
            memory: CACHE_BYTES,
            ..OpenOptions::new(&topology.stores)
        };
        let database = Database::open(&path.join("db"), &options).map_err(|error| match error {
            millrace_store::Error::Locked { .. } => Error::InUse { path: path.into() },
            error => error.into(),
        })?;
        write_json(&path.join("catalog.json"), &tables(topology))?;
        Ok(Self { instance: identity.instance, database: Arc::new(database) })
    }
}

/// Whether a folder is that of an instance on Kafka.
pub fn is_instance(path: &Path) -> bool {
    path.join("instance.json").exists()
}

/// The app whose folder it is.
///
/// # Errors
/// It can't be read, or is none of ours.
pub fn app_of(path: &Path) -> Result<Option<String>, Error> {
    Ok(identity(path)?.map(|identity| identity.app))
}

/// Opens the state of a folder for reading, also while an instance runs on it: as it was at its last commit. With it
/// come the tables, by name, and how their keys are written.
///
/// # Errors
/// It can't be read, or is none of ours.
pub fn open_to_read(path: &Path) -> Result<(Arc<Database>, BTreeMap<String, KeyCodec>), Error> {
    let tables = read_json(&path.join("catalog.json"))?.unwrap_or_default();
    Ok((Arc::new(Database::open_read_only(&path.join("db"))?), tables))
}

/// Claims a folder: it belongs to the first claim. Before the database is made, so that a database without a claim
/// isn't an instance's.
fn claim(path: &Path, known: Option<Identity>, topology: &Topology, cluster: &str) -> Result<Identity, Error> {
    if let Some(known) = known {
        return Ok(known);
    }
    let instance = Uuid::new_v4().simple().to_string();
    let draft = path.join(format!("instance.{instance}"));
    let (app, cluster) = (topology.app.clone(), cluster.to_owned());
    write_json(&draft, &Identity { format: FORMAT_VERSION, app, instance, cluster: cluster.clone() })?;
    let linked = fs::hard_link(&draft, path.join("instance.json"));
    fs::remove_file(&draft).map_err(|error| file_error(path, error))?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(file_error(path, error)),
        _ => {}
    }
    let first = identity(path)?.ok_or_else(|| not_ours(path, "its `instance.json` has gone"))?;
    check(path, &first, &topology.app, &cluster)?;
    Ok(first)
}

fn tables(topology: &Topology) -> BTreeMap<String, KeyCodec> {
    let tables = topology.stores.iter().filter(|store| store.queryable && store.kind == StoreKind::Table);
    tables.map(|store| (store.name.clone(), store.key)).collect()
}

fn identity(path: &Path) -> Result<Option<Identity>, Error> {
    read_json(&path.join("instance.json"))
}

fn check(path: &Path, known: &Identity, app: &str, cluster: &str) -> Result<(), Error> {
    if known.format > FORMAT_VERSION {
        return Err(not_ours(path, "it was written by a later version of Millrace"));
    }
    if known.app != app {
        return Err(not_ours(path, &format!("it belongs to the app `{}`, and this is `{app}`", known.app)));
    }
    if known.cluster != cluster {
        let reason = format!("its state is that of the cluster {}, and this is {cluster}", known.cluster);
        return Err(not_ours(path, &reason));
    }
    Ok(())
}

fn not_ours(path: &Path, reason: &str) -> Error {
    Error::NotOurs { path: path.into(), reason: format!("{reason}; choose another folder with --data") }
}

fn file_error(path: &Path, error: std::io::Error) -> Error {
    Error::File { path: path.into(), error }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(path, error)),
    };
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|error| Error::NotOurs { path: path.into(), reason: format!("not one of ours: {error}") })
}

/// Writes a file so that it is there whole, or as it was before.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let write = |temporary: &PathBuf| -> std::io::Result<()> {
        let mut file = fs::File::create(temporary)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    };
    write(&path.with_extension("new")).map_err(|error| file_error(path, error))
}

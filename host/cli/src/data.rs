//! Data folders: where their database is, and how it is opened.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use millrace_embedded::catalog::Catalog;
use millrace_embedded::deploy::{Deployer, OwnChanges, Start};
use millrace_embedded::log::Log;
use millrace_embedded::topics::FolderTopics;
use millrace_embedded::{Worker, WorkerOptions, deploy, run};
use millrace_engine::deployment::Author;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::topology::StoreSpec;
use millrace_kafka::folder;
use millrace_store::{Database, OpenOptions};

use crate::author;
use crate::load::Loaded;
use crate::plugins::Guests;

/// The database of a data folder.
pub fn database_of(data: &Path) -> PathBuf {
    data.join(DATABASE)
}

const DATABASE: &str = "db";

/// The parent of the default data folders: each is named after its app.
const DEFAULT_PARENT: &str = ".millrace";

/// The default data folder of an app.
pub fn default_of(app: &str) -> PathBuf {
    Path::new(DEFAULT_PARENT).join(app)
}

/// The given folder; otherwise the only default data folder.
///
/// # Errors
/// There is no default data folder, or there are several.
pub fn folder(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let failed = || format!("{DEFAULT_PARENT}: can't be read");
    let entries = match Path::new(DEFAULT_PARENT).read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        entries => entries.and_then(Iterator::collect).with_context(failed)?,
    };
    let paths = entries.iter().map(|entry: &fs::DirEntry| entry.path());
    let mut folders: Vec<_> = paths.filter(|path| database_of(path).is_dir()).collect();
    folders.sort();
    match folders.as_slice() {
        [only] => Ok(only.clone()),
        [] => bail!(
            "there is no data folder under {DEFAULT_PARENT}, where `millrace run` makes one: say --data DIR, or --kafka BOOTSTRAP for \
             a cluster"
        ),
        several => {
            let several: Vec<_> = several.iter().map(|path| format!("--data {}", path.display())).collect();
            bail!("there are several data folders: say {}", several.join(" or "))
        }
    }
}

/// Checks that the data folder isn't a file.
///
/// # Errors
/// It is one.
pub fn check_folder(data: &Path) -> Result<()> {
    if data.is_file() {
        bail!("{}: it is a file, where a data folder is needed", data.display());
    }
    Ok(())
}

/// Checks that a folder is a data folder or may become one: it doesn't exist, or is empty.
///
/// # Errors
/// The folder has files of something else.
pub fn check_ours(data: &Path) -> Result<()> {
    check_folder(data)?;
    let entries = match data.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let entries = entries.with_context(|| format!("{}: can't be read", data.display()))?;
    let names: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // If `db` is no database of Millrace's, opening it fails.
    if names.iter().any(|name| name == DATABASE) || folder::is_instance(data) {
        return Ok(());
    }
    match names.iter().filter(|name| !is_harmless(name)).min() {
        Some(other) => bail!(
            "{}: the folder has other files in it, such as `{other}`, and no data of Millrace's: name a folder that is empty \
             or not there yet, such as --data {}",
            data.display(),
            data.join("data").display()
        ),
        None => Ok(()),
    }
}

/// Whether a file may be in a folder that becomes a data folder: file systems and tools leave some in empty folders,
/// `topic write` leaves records, and a process that is killed during its first start leaves the beginnings of a data
/// folder.
fn is_harmless(name: &str) -> bool {
    let ours = ["instance.", "catalog."];
    name.starts_with('.') || ours.iter().any(|ours| name.starts_with(ours)) || ["lost+found", "inbox"].contains(&name)
}

/// Checks that a folder isn't that of an app on Kafka, which has no log.
fn check_embedded(data: &Path) -> Result<()> {
    check_folder(data)?;
    if folder::is_instance(data) {
        let app = folder::app_of(data)?.unwrap_or_default();
        bail!("{}: it belongs to the app `{app}`, whose log is on Kafka: say --kafka BOOTSTRAP", data.display());
    }
    Ok(())
}

/// Opens the database of a data folder for writing.
///
/// # Errors
/// As [`Database::open`]; and the folder is that of an app on Kafka, or has files of something else.
pub fn open(data: &Path, stores: &[StoreSpec]) -> Result<(Arc<Database>, Arc<Log>)> {
    check_ours(data)?;
    check_embedded(data)?;
    let folder = database_of(data);
    fs::create_dir_all(&folder).with_context(|| format!("{}: can't be made", folder.display()))?;
    let options = OpenOptions { families: &Log::FAMILIES, ..OpenOptions::new(stores) };
    let database = Arc::new(Database::open(&folder, &options)?);
    let log = Arc::new(Log::open(Arc::clone(&database))?);
    Ok((database, log))
}

/// Opens the database of a data folder for reading, also while an app runs on it.
///
/// # Errors
/// As [`Database::open_read_only`]; and the folder is that of an app on Kafka, or isn't a data folder.
pub fn open_to_read(data: &Path) -> Result<(Arc<Database>, Arc<Log>)> {
    check_embedded(data)?;
    let folder = database_of(data);
    if !folder.try_exists().with_context(|| format!("{}: can't be read", data.display()))? {
        bail!(
            "{}: there is no data of Millrace's here; `millrace run` makes it, with the topics of its pipeline, or \
             `millrace topic create`, with one topic",
            data.display()
        );
    }
    let database = Arc::new(Database::open_read_only(&folder)?);
    let log = Arc::new(Log::open(Arc::clone(&database))?);
    Ok((database, log))
}

/// The topics of a data folder, to be read.
///
/// # Errors
/// As [`open_to_read`].
pub fn topics_to_read(data: &Path) -> Result<FolderTopics> {
    let (database, log) = open_to_read(data)?;
    Ok(FolderTopics::new(database, log))
}

/// The topics of a data folder, to be added to; the folder is made if need be.
///
/// # Errors
/// As [`open`].
pub fn topics_to_create(data: &Path) -> Result<FolderTopics> {
    let (database, log) = open(data, &[])?;
    Ok(FolderTopics::new(database, log))
}

/// The topics of a data folder, to be written to, also while an app runs on it.
///
/// # Errors
/// As [`open`] and [`open_to_read`].
pub fn topics_to_write(data: &Path) -> Result<FolderTopics> {
    // Writing makes no folder: a pipeline does, or `topic create`.
    open_to_read(data)?;
    match topics_to_create(data) {
        Err(error) if is_locked(&error) => {
            let (database, log) = open_to_read(data)?;
            Ok(FolderTopics::of_running_app(database, log, run::inbox_of(data)))
        }
        opened => opened,
    }
}

pub(crate) fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(millrace_store::Error::Locked { .. }))
}

/// Whether a process runs on a data folder.
///
/// # Errors
/// It can't be told.
pub fn is_in_use(data: &Path) -> Result<bool> {
    match open(data, &[]) {
        Ok(_) => Ok(false),
        Err(error) if is_locked(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Opens the state of a data folder for reading, with the key codec of each table; also while an app runs on it, and
/// also if its log is on Kafka.
///
/// # Errors
/// As [`Database::open_read_only`].
pub fn open_tables(data: &Path) -> Result<(Arc<Database>, BTreeMap<String, KeyCodec>)> {
    check_folder(data)?;
    if folder::is_instance(data) {
        return Ok(folder::open_to_read(data)?);
    }
    let (database, log) = open_to_read(data)?;
    Ok((database, Catalog::load(&log)?.tables))
}

/// Opens the tasks of a pipeline in a data folder, with its plugins deployed.
///
/// # Errors
/// The folder can't be opened, belongs to another app, or has state that the plugins can't read. It is unchanged then.
pub fn open_worker(loaded: &Loaded, data: &Path, options: WorkerOptions) -> Result<(Worker, Guests)> {
    let (database, log) = open(data, &loaded.topology.stores)?;
    Ok(open_tasks(loaded, database, log, options)?)
}

/// The same in a database that is open.
///
/// # Errors
/// It belongs to another app, or has state that the plugins can't read.
pub fn open_tasks(
    loaded: &Loaded,
    database: Arc<Database>,
    log: Arc<Log>,
    options: WorkerOptions,
) -> Result<(Worker, Guests), millrace_embedded::Error> {
    let (worker, _) = start(loaded, database, log, options)?;
    Ok((worker, loaded.guests()))
}

/// Opens the tasks for a run that takes deployments.
///
/// # Errors
/// As for [`open_worker`].
pub fn open_to_run(loaded: &Loaded, data: &Path) -> Result<(Worker, Deployer)> {
    let (database, log) = open(data, &loaded.topology.stores)?;
    let (worker, new_generation) = start(loaded, database, log, WorkerOptions::default())?;
    let own = OwnChanges {
        author: Author { by: format!("millrace@{}", author::host()), ..Author::default() },
        shadows: Arc::clone(loaded.plugins.shadows()),
        new_generation,
    };
    let deployer = Deployer::new(data, &loaded.topology, Arc::clone(&loaded.plugins) as _, own);
    Ok((worker, deployer))
}

/// Also gives the first generation that the start deploys, if it deploys one.
fn start(
    loaded: &Loaded,
    database: Arc<Database>,
    log: Arc<Log>,
    options: WorkerOptions,
) -> Result<(Worker, u32), millrace_embedded::Error> {
    let Loaded { topology, plugins } = loaded;
    let (candidates, author) = (plugins.candidates(), author::here(String::new()));
    let start = Start { topology, candidates: &candidates, loader: plugins.as_ref(), author: &author };
    let plan = deploy::plan(&log, start)?;
    let worker = Worker::open(plan.plugins(), database, Arc::clone(&log), options)?;
    let new = plan.new_generation();
    plan.remember(&log)?;
    Ok((worker, new))
}

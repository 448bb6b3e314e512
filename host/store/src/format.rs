//! The marker of a database: a file with its format. It is written before the database is created, so a folder without
//! it is no database of Millrace's, whatever it has.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::Error;

const MARKER: &str = "MILLRACE";
/// The file with the boot of the machine in which the database was last opened.
const BOOT: &str = "BOOT";
const PREFIX: &str = "millrace store, format ";
const VERSION: u32 = 1;

/// Checks that the folder is a database of Millrace's; marks a new folder as one.
pub(crate) fn claim(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => not_ours(path, "this isn't a folder"),
        _ => Error::from_io(path, "make the folder", &error),
    })?;
    if !path.join(MARKER).exists() {
        let mut entries = fs::read_dir(path).map_err(|error| Error::from_io(path, "read the folder", &error))?;
        if entries.next().is_some() {
            return Err(not_ours(path, "the folder isn't empty, and what is in it isn't a database of Millrace's"));
        }
        return write(path).map_err(|error| Error::from_io(path, "write to the folder", &error));
    }
    check(path)
}

/// Checks that the folder is a database of Millrace's, and complete enough to be opened.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let marker = fs::read_to_string(path.join(MARKER)).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => not_ours(path, "there is no database of Millrace's here"),
        std::io::ErrorKind::NotADirectory => not_ours(path, "this isn't a folder"),
        _ => Error::from_io(path, "read the format", &error),
    })?;
    match marker.strip_prefix(PREFIX).and_then(|rest| rest.trim_end().parse::<u32>().ok()) {
        Some(version) if version <= VERSION => {}
        Some(version) => {
            let reason = format!(
                "the database is of format {version}, and this version of Millrace knows formats up to {VERSION}: \
                 use a newer one"
            );
            return Err(not_ours(path, &reason));
        }
        None => {
            return Err(Error::Corrupt { path: path.into(), reason: format!("`{MARKER}` doesn't name a format") });
        }
    }
    // RocksDB takes a folder without this file for a new database, and would delete the data in it.
    if !path.join("CURRENT").exists() && holds_data(path)? {
        return Err(Error::Corrupt { path: path.into(), reason: "the file `CURRENT` is missing".into() });
    }
    Ok(())
}

/// Whether the machine hasn't rebooted since the database was last opened: then all later writes are there.
pub(crate) fn is_of_this_boot(path: &Path) -> bool {
    boot_id().is_some_and(|boot| fs::read_to_string(path.join(BOOT)).is_ok_and(|recorded| recorded == boot))
}

/// Records the boot in which the database is opened. If that fails, the next opening is less strict.
pub(crate) fn record_boot(path: &Path) {
    if let Some(boot) = boot_id()
        && !is_of_this_boot(path)
        && let Err(error) = fs::write(path.join(BOOT), boot)
    {
        tracing::debug!(path = %path.display(), %error, "the boot can't be recorded");
    }
}

/// The kernel's id of this boot; `None` on systems other than Linux.
fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

/// Checks that the write-ahead log exists. RocksDB would open without it, and silently lose all writes since the last
/// flush.
pub(crate) fn check_log(path: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::from_io(path, "read the folder", &error);
    let (mut was_opened, mut has_log) = (false, false);
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        // RocksDB creates this file last when it opens a database, after the log.
        was_opened |= name.starts_with("OPTIONS-");
        has_log |= name.ends_with(".log");
    }
    if was_opened && !has_log {
        let reason =
            "the write-ahead log, a file such as `000004.log`, is missing, and with it the records written last";
        return Err(Error::Corrupt { path: path.into(), reason: reason.into() });
    }
    Ok(())
}

fn not_ours(path: &Path, reason: &str) -> Error {
    Error::NotOurs { path: path.into(), reason: reason.into() }
}

fn write(path: &Path) -> std::io::Result<()> {
    let new = path.join("MILLRACE.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{PREFIX}{VERSION}")?;
    file.sync_all()?;
    fs::rename(&new, path.join(MARKER))?;
    File::open(path)?.sync_all()
}

fn holds_data(path: &Path) -> Result<bool, Error> {
    let failed = |error: std::io::Error| Error::from_io(path, "read the folder", &error);
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        match extension {
            Some("sst" | "blob") => return Ok(true),
            Some("log") if entry.metadata().map_err(failed)?.len() > 0 => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

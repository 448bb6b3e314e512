//! Files by which processes talk: a file is there as a whole or not at all, also after a power failure.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Leaves a file in a folder, which is made if need be. When this returns, the file survives a power failure.
pub(crate) fn leave(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let hidden = folder.join(format!(".{name}.part"));
    let write = || {
        create_folder(folder)?;
        let mut file = fs::File::create(&hidden)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&hidden, folder.join(name))?;
        sync_folder(folder)
    };
    write().inspect_err(|_| {
        // An incomplete file takes up space on a disk that may be full.
        drop(fs::remove_file(&hidden));
    })
}

/// Creates the folder unless it exists, so that it survives a power failure.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
}

/// Syncs the entries of a folder: syncing a file doesn't sync its name.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Deletes a file for good. One that is gone already is no error.
pub(crate) fn remove(folder: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(folder),
    }
}

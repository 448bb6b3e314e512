//! A cache of compiled plugins on disk, so that a start doesn't compile them again.
//!
//! A file has the SHA-256 of the rest, then wasmtime's serialised form. Its name has the digest of the component and
//! that of wasmtime's version and configuration. A file that is truncated, changed or of another version is compiled
//! again and replaced; a folder that others can reach is refused.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::hex;
use crate::fault::chain;

/// Bytes of the SHA-256.
const CHECKSUM_BYTES: usize = 32;

/// A folder of compiled components.
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Creates the folder if need be, and checks that only this user can reach it. `None` if it can't be created or
    /// written to: then each start compiles.
    pub(crate) fn open(folder: PathBuf) -> Result<Option<Self>, String> {
        match Self::open_writable(&folder) {
            Ok(Ok(())) => Ok(Some(Self { folder })),
            Ok(Err(refused)) => Err(refused),
            Err(error) => {
                tracing::warn!(
                    folder = %folder.display(), %error,
                    "compiled plugins can't be cached, and each start compiles them again: give the user a writable home, or \
                     set XDG_CACHE_HOME"
                );
                Ok(None)
            }
        }
    }

    /// Checks the folder. The inner error says why it may not be used.
    fn open_writable(folder: &Path) -> std::io::Result<Result<(), String>> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let metadata = fs::symlink_metadata(folder)?;
        if !metadata.is_dir() || metadata.mode() & 0o077 != 0 {
            let folder = folder.display();
            return Ok(Err(format!("cache folder {folder}: others may reach it; it must be a folder of mode 0700")));
        }
        // The owner of a file that this process creates must own the folder, too.
        let probe = folder.join(format!(".probe-{}", std::process::id()));
        let owner = create(&probe).and_then(|file| file.metadata())?.uid();
        fs::remove_file(&probe)?;
        if owner != metadata.uid() {
            return Ok(Err(format!("cache folder {}: it belongs to another user", folder.display())));
        }
        Ok(Ok(()))
    }

    /// The compiled component, from the folder, or newly compiled and written to it.
    pub(crate) fn get(&self, engine: &Engine, component: &[u8]) -> wasmtime::Result<Component> {
        let path = self.folder.join(name(engine, component));
        if let Some(component) = read(engine, &path) {
            return Ok(component);
        }
        let compiled = Component::new(engine, component)?;
        if let Err(error) = compiled.serialize().and_then(|code| Ok(write(&path, &code)?)) {
            tracing::warn!(path = %path.display(), error = %chain(&error), "a compiled plugin can't be cached");
        }
        Ok(compiled)
    }
}

/// The name of a component's file: its digest, then that of wasmtime's version and configuration.
fn name(engine: &Engine, component: &[u8]) -> String {
    let mut configuration = Fingerprint(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut configuration);
    let configuration = hex(&configuration.0.finalize());
    format!("{}-{}.cwasm", hex(&Sha256::digest(component)), configuration.get(..16).unwrap_or_default())
}

struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn read(engine: &Engine, path: &Path) -> Option<Component> {
    let bytes = fs::read(path).ok()?;
    let (checksum, code) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    if Sha256::digest(code).as_slice() != checksum {
        tracing::warn!(path = %path.display(), "a compiled plugin is damaged: it is compiled again");
        return None;
    }
    native::load(engine, code).ok()
}

/// Writes a temporary file and renames it, so that no process reads an incomplete one.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = create(&beside)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)?;
    fs::rename(&beside, path)
}

fn create(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

mod native {
    //! The only place where bytes become machine code.
    #![allow(unsafe_code, reason = "wasmtime can't check serialised machine code; the cache guarantees its origin")]

    use wasmtime::Engine;
    use wasmtime::component::Component;

    /// Loads the bytes of [`Component::serialize`]. wasmtime refuses those of another version or configuration.
    pub(super) fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: the bytes come from a file in a folder that only this user can write to, where nothing but
        // `super::write` puts files, and their checksum is right: they are what `serialize` gave, unchanged.
        unsafe { Component::deserialize(engine, code) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cache_that_can_not_be_created_is_done_without_and_one_that_others_can_reach_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(Cache::open(folder.path().join("file/compiled")).unwrap().is_none());
        assert!(Cache::open(folder.path().join("compiled")).unwrap().is_some());
        fs::set_permissions(folder.path().join("compiled"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Cache::open(folder.path().join("compiled")).err().unwrap().contains("others may reach it"));
    }
}

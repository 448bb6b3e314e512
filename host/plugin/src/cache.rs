//! Compiled plugins on disk, so that a start doesn't compile them again.
//!
//! A file holds the SHA-256 of what follows, then wasmtime's own serialised form. Its name is made of the component's
//! digest and of wasmtime's version and configuration. A file that is cut off, changed or written by another version
//! is compiled anew and replaced; a folder that others can write to is refused.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::fault::chain;
use crate::plugin::hex;

const CHECKSUM: usize = 32;

/// A folder of compiled components.
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Makes the folder where it isn't there, and checks that it is ours alone. None where it can't be made or written to:
    /// that costs only time.
    pub(crate) fn open(folder: PathBuf) -> Result<Option<Self>, String> {
        match Self::open_writable(&folder) {
            Ok(Ok(())) => Ok(Some(Self { folder })),
            Ok(Err(refused)) => Err(refused),
            Err(error) => {
                tracing::warn!(
                    folder = %folder.display(), %error,
                    "compiled plugins can't be kept, and each start compiles them anew: give the user a home that can be \
                     written to, or set XDG_CACHE_HOME"
                );
                Ok(None)
            }
        }
    }

    /// Whether it may be used, and if not, why.
    fn open_writable(folder: &Path) -> std::io::Result<Result<(), String>> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let metadata = fs::symlink_metadata(folder)?;
        if !metadata.is_dir() || metadata.mode() & 0o077 != 0 {
            let folder = folder.display();
            return Ok(Err(format!("cache folder {folder}: others may reach it; it must be a folder of mode 0700")));
        }
        // A file that we make is ours: who owns the folder must be the same.
        let probe = folder.join(format!(".probe-{}", std::process::id()));
        let owner = create(&probe).and_then(|file| file.metadata())?.uid();
        fs::remove_file(&probe)?;
        if owner != metadata.uid() {
            return Ok(Err(format!("cache folder {}: it belongs to another user", folder.display())));
        }
        Ok(Ok(()))
    }

    /// The compiled component, from the folder or by compiling it. A folder that can't be written costs only time.
    pub(crate) fn get(&self, engine: &Engine, component: &[u8]) -> wasmtime::Result<Component> {
        let path = self.folder.join(name(engine, component));
        if let Some(component) = read(engine, &path) {
            return Ok(component);
        }
        let compiled = Component::new(engine, component)?;
        if let Err(error) = compiled.serialize().and_then(|code| Ok(write(&path, &code)?)) {
            tracing::warn!(path = %path.display(), error = %chain(&error), "a compiled plugin can't be kept");
        }
        Ok(compiled)
    }
}

/// The name of a component's file: its digest, and that of wasmtime's version and configuration.
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
    let (checksum, code) = bytes.split_at_checked(CHECKSUM)?;
    if Sha256::digest(code).as_slice() != checksum {
        tracing::warn!(path = %path.display(), "a compiled plugin is damaged: it is compiled anew");
        return None;
    }
    native::load(engine, code).ok()
}

/// Written beside and renamed, so that no reader sees half a file.
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
    //! The one place that turns bytes into machine code.
    #![allow(
        unsafe_code,
        reason = "wasmtime can't check serialised machine code; the cache vouches for where it is from"
    )]

    use wasmtime::Engine;
    use wasmtime::component::Component;

    /// Loads what [`Component::serialize`] gave. wasmtime itself refuses another version or configuration.
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

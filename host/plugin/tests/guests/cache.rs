//! Compiled plugins on disk: found again, never trusted when damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use millrace_engine::manifest::Role;
use millrace_plugin::{PluginSettings, Runtime};

use crate::template::{Guest, limits};

fn load(folder: &Path) {
    let module = Guest::good(&[Role::Transform]).module();
    Runtime::new(Some(folder.to_owned()))
        .unwrap()
        .load(&module, "guest.wasm", &PluginSettings::new("{}", limits()))
        .unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_compiled_plugin_is_cached() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cache");
    load(&folder);
    let [file] = files(&folder).try_into().unwrap();
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    load(&folder);
    assert_eq!(files(&folder), std::slice::from_ref(&file));
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_plugin_whose_cached_file_is_damaged_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cache");
    load(&folder);
    let [file] = files(&folder).try_into().unwrap();
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for damaged in [&whole[..0], &whole[..10], &whole[..whole.len() / 2], &changed] {
        fs::write(&file, damaged).unwrap();
        load(&folder);
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
    }
}

#[test]
fn a_cache_folder_that_others_can_reach_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let error = Runtime::new(Some(dir.path().to_owned())).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("it must be a folder of mode 0700"), "{error}");
}

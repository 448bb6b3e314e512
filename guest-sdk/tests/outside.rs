//! A plugin outside of this workspace: a crate that depends on the SDK by its path.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const PLUGIN: &str = r#"
//! A plugin of each role.
use millrace_sdk::prelude::*;

#[transform]
fn pass(order: Doc) -> Doc {
    order
}

#[join]
fn right(_left: Doc, right: Doc) -> Doc {
    right
}

struct Count;

#[aggregate]
impl Aggregate for Count {
    type Key = String;
    type Input = Doc;
    type State = u64;
    type Output = u64;

    fn init(_key: &String) -> u64 {
        0
    }

    fn add(count: &mut u64, _key: &String, _input: Doc, _ctx: &Ctx) -> Result<()> {
        *count += 1;
        Ok(())
    }

    fn result(count: &u64, _key: &String, _ctx: &Ctx) -> Result<u64> {
        Ok(*count)
    }
}

#[process(on_timer = ring)]
fn wait(key: Key<String>, seen: Store<String, bool>, timers: Timers) -> Result<()> {
    timers.set_at("bell", 0, Clock::Wall);
    seen.put(&key, &true)
}

#[on_timer]
fn ring(key: Key<String>, seen: Store<String, bool>) -> Result<()> {
    seen.delete(&key);
    Ok(())
}

plugin! { name: "outside", functions: [pass, right, Count, wait] }
"#;

#[test]
fn a_crate_outside_of_the_workspace_builds() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n[dependencies]\nmillrace-sdk = {{ path = {sdk:?} }}\n"
    );
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("src/lib.rs"), PLUGIN).unwrap();
    // The workspace's versions of dependencies, so that cargo downloads nothing.
    fs::copy(sdk.join("../Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let target = env::temp_dir().join("millrace-sdk-outside");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(target, |dir| Path::new(&dir).join("outside"));
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet"])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

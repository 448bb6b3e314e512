//! The messages of `plugins.sh` about manifests and names, before cargo runs.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The output of the script in a folder, and whether it succeeds.
fn plugins(folder: &Path, words: &[&str]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins.sh");
    let output = Command::new("bash").arg(script).args(words).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn what_a_manifest_lacks_is_told_with_the_line_to_add() {
    let folder = tempfile::tempdir().unwrap();
    let check = |manifest: &str| {
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        plugins(folder.path(), &["check", "Cargo.toml"])
    };
    let whole = "[package]\nname = \"a\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\
                 [dependencies]\nmillrace-sdk.workspace = true\n";
    assert_eq!(check(whole), (true, String::new()));
    for same in [
        whole.replace("edition = \"2024\"", "edition.workspace = true"),
        whole.replace("millrace-sdk.workspace = true", "millrace-sdk = { path = \"../guest-sdk\" }"),
        whole.replace("[dependencies]\nmillrace-sdk.workspace = true", "[dependencies.millrace-sdk]\nworkspace = true"),
    ] {
        assert_eq!(check(&same), (true, String::new()), "{same}");
    }
    let crate_type =
        "Cargo.toml: a plugin is a library for the sandbox: add crate-type = [\"cdylib\", \"rlib\"] under [lib]\n";
    let edition = "Cargo.toml: a plugin is Rust of the edition 2024, and without `edition` cargo takes 2015: add edition = \
                   \"2024\" under [package]\n";
    let sdk = "Cargo.toml: a plugin needs the SDK: add millrace-sdk.workspace = true under [dependencies]\n";
    for (line, said) in [
        ("crate-type = [\"cdylib\", \"rlib\"]\n", crate_type),
        ("edition = \"2024\"\n", edition),
        ("millrace-sdk.workspace = true\n", sdk),
    ] {
        assert_eq!(check(&whole.replace(line, "")), (false, said.to_owned()));
    }
    assert_eq!(check("[package]\nname = \"a\"\n"), (false, [crate_type, edition, sdk].concat()));
}

#[test]
fn a_plugin_is_found_by_the_name_of_its_folder_or_of_its_built_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["large-orders", "order-status", "odd_one"] {
        let plugin = folder.path().join("plugins").join(name);
        fs::create_dir_all(&plugin).unwrap();
        fs::write(plugin.join("Cargo.toml"), "").unwrap();
    }
    let find = |name: &str| plugins(folder.path(), &["find", name]);
    for (name, found) in [
        ("large-orders", "large-orders"),
        ("large_orders", "large-orders"),
        ("odd_one", "odd_one"),
        ("odd-one", "odd_one"),
    ] {
        assert_eq!(find(name), (true, format!("plugins/{found}/Cargo.toml\n")));
    }
    let none = "there is no plugin plugins/order; there are:\n  large-orders\n  odd_one\n  order-status\n";
    assert_eq!(find("order"), (false, none.to_owned()));
}

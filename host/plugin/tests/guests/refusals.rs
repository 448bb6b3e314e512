//! Plugins that never run here, and what is said of each.

use std::time::Duration;

use millrace_engine::manifest::{Manifest, Role};
use millrace_engine::topology::GuestLimits;
use millrace_plugin::{PluginSettings, Runtime};

use crate::template::{Guest, function, limits, module, module_in};

fn refused(bytes: &[u8], config: &str, limits: GuestLimits) -> String {
    match Runtime::new(None).unwrap().load(bytes, "guest.wasm", &PluginSettings::new(config, limits)) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check(bytes: &[u8], words: &str) {
    let text = refused(bytes, "{}", limits());
    assert!(text.starts_with("guest.wasm: "), "{text}");
    assert!(text.contains(words), "{text:?} doesn't say {words:?}");
}

/// A good transform whose manifest was changed.
#[track_caller]
fn check_manifest(roles: &[Role], change: impl FnOnce(&mut Manifest), words: &str) {
    let mut guest = Guest::good(roles);
    change(&mut guest.manifest);
    check(&guest.module(), &format!("manifest: {words}"));
}

#[test]
fn bytes_that_are_no_webassembly_are_refused() {
    check(b"", "not a WebAssembly component or module");
    check(b"#!/bin/sh\necho hello", "not a WebAssembly component or module");
}

#[test]
fn truncated_webassembly_is_refused() {
    let whole = Guest::good(&[Role::Transform]).module();
    for part in 1..16 {
        refused(&whole[..whole.len() * part / 16], "{}", limits());
    }
}

#[test]
fn a_foreign_import_is_refused_by_name() {
    for (import, words) in [
        ("wasi:clocks/monotonic-clock@0.2.0", "imports `wasi:clocks/monotonic-clock@0.2.0`: a plugin has no clock"),
        ("wasi:random/random@0.2.0", "a plugin has no randomness"),
        ("wasi:sockets/tcp@0.2.0", "a plugin has no network"),
        ("wasi_snapshot_preview1", "a plugin has no WASI; build it for wasm32-unknown-unknown"),
        ("env", "imports `env`: a plugin links to nothing outside itself"),
        ("other:host/api@1.0.0", "a plugin can import only what is in the plugin contract"),
    ] {
        let text = Guest::good(&[Role::Transform]).text();
        let text = text.replacen("(module", &format!("(module (import \"{import}\" \"now\" (func))"), 1);
        check(&module(&text, &[Role::Transform]), words);
    }
}

#[test]
fn a_component_with_a_foreign_import_is_refused_by_name() {
    let component = wat::parse_str(r#"(component (import "wasi:filesystem/types@0.2.0" (instance)))"#).unwrap();
    check(&component, "imports `wasi:filesystem/types@0.2.0`: a plugin has no files");
}

#[test]
fn another_version_of_the_contract_is_refused_with_both_versions() {
    let component = wat::parse_str(r#"(component (import "millrace:plugin/budget@0.3.0" (instance)))"#).unwrap();
    check(
        &component,
        "built for version 0.3.0 of the plugin contract (`millrace:plugin/budget@0.3.0`); this host speaks 0.1.0",
    );
}

#[test]
fn a_component_that_is_no_plugin_is_refused() {
    let component = wat::parse_str("(component)").unwrap();
    check(
        &component,
        "doesn't export `millrace:plugin/meta@0.1.0`: it isn't a Millrace plugin; \
         if it is one in Rust: does its lib.rs end with `plugin! { .. }`?",
    );
}

#[test]
fn a_module_that_is_no_component_is_refused() {
    let module = wat::parse_str(r#"(module (func (export "main")))"#).unwrap();
    check(&module, "doesn't export `millrace:plugin/meta@0.1.0`");
}

#[test]
fn names_of_the_contract_with_other_types_are_refused() {
    let component = wat::parse_str(
        r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $meta (export "describe" (func $f)) (export "configure" (func $f)))
            (export "millrace:plugin/meta@0.1.0" (instance $meta)))"#,
    );
    check(&component.unwrap(), "doesn't fit the plugin contract");
}

#[test]
fn a_manifest_whose_roles_differ_from_the_exports_is_refused() {
    let declared = |manifest: &mut Manifest| manifest.functions.push(function("more", Role::Join));
    check_manifest(&[Role::Transform], declared, "function `more` is a join function, but `join` isn't exported");
    let exported = |manifest: &mut Manifest| manifest.functions.truncate(1);
    check_manifest(&[Role::Transform, Role::Join], exported, "`join` is exported, but no function is a join function");
}

/// A guest without the export `rewrite`.
fn without_rewrite(guest: &Guest) -> Vec<u8> {
    let exports = guest.exports.iter().map(|role| format!("export millrace:plugin/{}@0.1.0;", role.name()));
    let imports = "import millrace:plugin/state@0.1.0; import millrace:plugin/timers@0.1.0;";
    let text = guest.text().replace(r#"(export "millrace:plugin/rewrite@0.1.0#rewrite")"#, "");
    module_in(&text, &exports.chain([imports.to_owned()]).collect::<String>())
}

#[test]
fn a_plugin_with_a_store_that_does_not_export_its_rewriting_is_refused() {
    for role in [Role::Aggregate, Role::Process] {
        let name = role.name();
        let words = format!(
            "manifest: function `{name}` has a store, but `rewrite`, which rewrites its values, isn't exported"
        );
        check(&without_rewrite(&Guest::good(&[Role::Transform, role])), &words);
    }
    let mut stateless = Guest::good(&[Role::Process]);
    stateless.manifest.functions[0].stores.clear();
    for module in [stateless.module(), without_rewrite(&stateless)] {
        Runtime::new(None).unwrap().load(&module, "guest.wasm", &PluginSettings::new("{}", limits())).unwrap();
    }
}

#[test]
fn a_plugin_without_state_that_exports_rewriting_is_refused() {
    let mut guest = Guest::good(&[Role::Transform]);
    let parameters = "(param i32 i32 i32 i32 i32 i32) (result i32)";
    guest.fields = format!(r#"(func (export "millrace:plugin/rewrite@0.1.0#rewrite") {parameters} unreachable)"#);
    let world = "include millrace:plugin/transformer@0.1.0; export millrace:plugin/rewrite@0.1.0;";
    let words = "manifest: `rewrite` is exported, but no function is an aggregate or process function";
    check(&module_in(&guest.text(), world), words);
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    let transform = &[Role::Transform];
    check_manifest(transform, |m| m.name.clear(), "the plugin is named \"\"");
    check_manifest(transform, |m| m.functions[0].ports.clear(), "function `transform`: it has no ports");
    check_manifest(
        transform,
        |m| m.functions[0].ports[1].name = "out".into(),
        "function `transform`: two ports are named `out`",
    );
    check_manifest(transform, |m| m.functions.push(m.functions[0].clone()), "two functions are named `transform`");
    check_manifest(transform, |m| m.functions[0].name = "a.b".into(), "function `a.b`: the function is named \"a.b\"");
    check_manifest(
        transform,
        |m| m.functions[0].codes.push("bad".into()),
        "function `transform`: two codes are named `bad`",
    );
    check_manifest(
        transform,
        |m| m.functions[0].timers = true,
        "function `transform`: only a process function has timers",
    );
    check_manifest(
        transform,
        |m| m.functions[0].subtracts = true,
        "function `transform`: only an aggregate takes records back",
    );
    check_manifest(
        transform,
        |m| m.functions[0].merges = true,
        "function `transform`: only an aggregate merges states",
    );
    check_manifest(transform, |m| m.config_schema = "{".into(), "the JSON Schema of the config is not JSON");
}

#[test]
fn a_manifest_whose_stores_do_not_fit_the_role_is_refused() {
    let with_store = |m: &mut Manifest| m.functions[0].stores = function("other", Role::Aggregate).stores;
    check_manifest(&[Role::Transform], with_store, "function `transform`: a transform function has no stores");
    check_manifest(&[Role::Join], with_store, "function `join`: a join function has no stores");
    let aggregate = &[Role::Aggregate];
    check_manifest(
        aggregate,
        |m| m.functions[0].stores.clear(),
        "function `aggregate`: an aggregate has exactly one store, not 0",
    );
    check_manifest(
        aggregate,
        |m| m.functions[0].stores[0].writes.clear(),
        "function `aggregate`: store `store` names no state version",
    );
    check_manifest(
        aggregate,
        |m| m.functions[0].stores[0].writes.push(2),
        "function `aggregate`: store `store` writes state version 2, but doesn't read it",
    );
}

#[test]
fn a_refusal_of_a_config_has_the_plugins_text() {
    let mut guest = Guest::good(&[Role::Transform]);
    guest.configure = "(i32.store8 (i32.const 0x7f00) (i32.const 1)) (i32.store (i32.const 0x7f04) (i32.const 0x7e00))
        (i32.store (i32.const 0x7f08) (i32.const 9)) (return (i32.const 0x7f00))"
        .into();
    guest.fields = r#"(data (i32.const 0x7e00) "too small")"#.into();
    check(&guest.module(), "config: too small");
}

#[test]
fn a_config_for_a_plugin_that_takes_none_is_refused() {
    let text = refused(&Guest::good(&[Role::Transform]).module(), r#"{"limit":1}"#, limits());
    assert_eq!(text, r#"guest.wasm: config: the plugin takes no config, but was given {"limit":1}"#);
}

#[test]
fn a_plugin_that_hangs_at_its_start_is_refused_at_the_deadline() {
    let forever = "(loop $l (br $l))";
    let guest = || Guest::good(&[Role::Transform]);
    let starting = Guest { fields: format!("(start $run) (func $run {forever})"), ..guest() };
    let configuring = Guest { configure: forever.into(), ..guest() };
    for guest in [starting, configuring] {
        check(&guest.module(), "failed at start: took longer than 300ms (limits.deadline)");
    }
    let describing =
        guest().text().replace("#describe\") (result i32)", &format!("#describe\") (result i32) {forever}"));
    check(&module(&describing, &[Role::Transform]), "failed at start: took longer than 300ms (limits.deadline)");
}

#[test]
fn a_manifest_larger_than_a_megabyte_is_refused() {
    let mut guest = Guest::good(&[Role::Transform]);
    guest.manifest.functions[0].codes = vec!["x".repeat(1 << 20)];
    check(&guest.module(), "failed at start: broke the contract");
}

#[test]
fn a_plugin_that_starts_with_too_much_memory_is_refused() {
    let guest = Guest { pages: 100, ..Guest::good(&[Role::Transform]) };
    check(&guest.module(), "wanted more memory than 4MiB (limits.memory)");
    let guest = Guest { fields: "(table 1000000 funcref)".into(), ..Guest::good(&[Role::Transform]) };
    // By the pool where there is one, else by the limit.
    refused(&guest.module(), "{}", limits());
}

#[test]
fn a_good_plugin_is_accepted_with_its_name() {
    let guest = Guest::good(&[Role::Transform, Role::Process]);
    let limits = GuestLimits { deadline: Duration::from_secs(1), ..limits() };
    let plugin = guest.load(limits).unwrap();
    shared_by_threads(&plugin);
    assert_eq!(plugin.manifest(), &guest.manifest);
    assert_eq!(plugin.digest().len(), 64);
    // printf '{}' | sha256sum
    assert_eq!(plugin.config_digest(), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

fn shared_by_threads<T: Send + Sync>(_: &T) {}

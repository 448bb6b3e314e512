//! Messages of `millrace check` for each wrong file in `wrong/`, and for a right one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::path::Path;

use insta::assert_snapshot;

use support::Place;

/// The messages of `check` for a file in `wrong/`.
fn check(name: &str) -> String {
    let place = Place::new();
    let file = format!("{name}.toml");
    place.write(&file, std::fs::read(wrong().join(&file)).unwrap());
    place.write("garbage.wasm", "not a component at all");
    // The header of a module, and an import of a function `f` from `env`.
    place.write("foreign.wasm", b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x09\x01\x03env\x01f\0\0");
    place.millrace(&format!("check {file}")).bad()
}

fn wrong() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wrong"))
}

#[test]
fn check_prints_nothing_for_a_right_pipeline() {
    assert_eq!(check("right"), "exit 0: ");
    assert_eq!(Place::new().millrace("check orders.toml").bad(), "exit 0: ");
}

#[test]
fn the_message_for_an_unknown_key_names_the_nearest_key() {
    assert_snapshot!(check("unknown_key"), @r#"
    exit 1: unknown_key.toml:17:1: [[join]] `resolve` has no `within`
      help: say within = "10s" for both directions, or before = "10s" and after = "0s"
    unknown_key.toml:21:1: unknown key `withn` in [[join]] `resolve`; did you mean `within`?
      help: it can have `name`, `left`, `right`, `kind`, `within`, `before`, `after`, `grace`, `call`, `on-error`, `on-late`, `on-null-key`, `dlq` and `retry`
    "#);
}

#[test]
fn the_message_for_an_unknown_function_names_the_nearest_one_and_lists_the_others() {
    assert_snapshot!(check("unknown_function"), @"
    exit 1: unknown_function.toml:22:8: the plugin `order-status` has no function `resolv`; did you mean `resolve`?
      help: its join functions are `resolve`
    ");
}

#[test]
fn the_message_for_an_unknown_plugin_names_the_nearest_plugin() {
    assert_snapshot!(check("unknown_plugin"), @"
    exit 1: unknown_plugin.toml:22:8: [[join]] `resolve` calls the unknown plugin `order-state`; did you mean `order-status`?
      help: call it by that name, or add [plugins.order-state] with its component
    ");
}

#[test]
fn the_message_for_an_unknown_step_names_the_nearest_step() {
    assert_snapshot!(check("unknown_step"), @"
    exit 1: unknown_step.toml:20:9: [[join]] `resolve` reads from the unknown step `stocks`; did you mean `stock`?
      help: name a source, a table or a step of the app
    ");
}

#[test]
fn the_message_for_a_function_of_another_role_names_its_role() {
    assert_snapshot!(check("wrong_role"), @"
    exit 1: wrong_role.toml:20:8: [[transform]] `resolve` needs a transform function, and `order-status.resolve` is a join function
      help: it has no transform functions; [[join]] calls this one
    ");
}

#[test]
fn the_message_for_a_missing_component_file_points_at_its_plugin() {
    assert_snapshot!(check("missing_component"), @"exit 1: missing_component.toml:5:13: the plugin `order-status`: orders_status.wasm: can't be read: No such file or directory (os error 2); build the plugin, or correct the path: it is relative to this file's folder");
}

#[test]
fn the_message_for_a_file_that_is_no_component_points_at_its_plugin() {
    assert_snapshot!(check("garbage_component"), @r"exit 1: garbage_component.toml:5:13: the plugin `order-status`: garbage.wasm: not a WebAssembly component or module that can be used: it begins with `not `, and WebAssembly with `\0asm`");
}

#[test]
fn the_message_for_an_import_outside_the_contract_names_the_import() {
    assert_snapshot!(check("foreign_component"), @"exit 1: foreign_component.toml:5:13: the plugin `order-status`: foreign.wasm: imports `env`: a plugin links to nothing outside itself; a C function may be missing from its build");
}

#[test]
fn the_message_for_a_cycle_lists_its_steps_in_order() {
    assert_snapshot!(check("cycle"), @"
    exit 1: cycle.toml:29:8: a cycle: `again` -> `round` -> `again`
      help: a record would go round for ever: let one of these read from somewhere else
    ");
}

#[test]
fn the_message_for_keys_that_differ_names_both_codecs() {
    assert_snapshot!(check("key_mismatch"), @"
    exit 1: key_mismatch.toml:20:9: [[join]] `resolve`: the keys of `payments` are string, those of `stock` are i64
      help: both sides must have the same `key` at their sources
    ");
}

#[test]
fn the_message_for_a_duplicate_name_says_what_has_it_already() {
    assert_snapshot!(check("duplicate_name"), @"
    exit 1: duplicate_name.toml:13:8: the name `payments` is taken by the [[source]] at duplicate_name.toml:8
      help: names must differ in all files of an app
    duplicate_name.toml:20:9: [[join]] `resolve` reads from the unknown step `stock`
      help: name a source, a table or a step of the app
    ");
}

#[test]
fn the_message_for_a_wrong_duration_shows_a_right_one() {
    assert_snapshot!(check("bad_duration"), @r#"
    exit 1: bad_duration.toml:21:10: within of [[join]] `resolve`: `10 seconds` is not a duration: there is no unit ` seconds`
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    "#);
}

#[test]
fn the_message_for_a_value_of_a_wrong_type_names_the_right_type() {
    assert_snapshot!(check("wrong_type"), @r#"
    exit 1: wrong_type.toml:26:9: topic of [[sink]] must be a string, not a list
      help: write topic = "..."
    "#);
}

#[test]
fn a_feature_that_is_not_implemented_yet_has_a_message_of_its_own() {
    assert_snapshot!(check("not_yet"), @"
    exit 1: not_yet.toml:22:9: `retry` of [[join]] `resolve`: not yet
      help: leave it out: what fails is dead-lettered at once
    ");
}

#[test]
fn the_message_for_broken_toml_has_line_and_column() {
    assert_snapshot!(check("broken"), @r#"exit 1: broken.toml:26:16: not TOML: invalid basic string, expected `"`"#);
}

#[test]
fn the_message_for_an_empty_file_says_what_a_pipeline_needs() {
    assert_snapshot!(check("empty"), @r#"
    exit 1: empty.toml: the file has no `app`
      help: say which app this is part of: app = "orders"
    "#);
}

#[test]
fn the_message_for_a_kafka_setting_of_a_wrong_type_names_the_right_type() {
    assert_snapshot!(check("kafka_number"), @"
    exit 1: kafka_number.toml:5:1: `transaction.timeout.ms` of [kafka] can't have this value
      help: it must be a whole number of milliseconds, such as 10000
    kafka_number.toml:6:1: `message.max.bytes` of [kafka] can't have this value
      help: it must be a whole number of bytes, such as 1000000
    ");
}

#[test]
fn check_lists_all_mistakes_of_a_file() {
    assert_snapshot!(check("several"), @r#"
    exit 1: several.toml: the file has no `app`
      help: say which app this is part of: app = "orders"
    several.toml:1:1: unknown key `ap`; did you mean `app`?
      help: app-wide keys are app, dlq, commit-interval, threads, on-worker-failure, deploy-on-start, flood-guard, breaker, limits, kafka, plugins; steps are source, table, global-table, transform, merge, join, lookup, table-join, aggregate, process, dedup, sink
    several.toml:14:9: topic of [[source]] `stock`: ' ' can't be in the name of a topic
      help: Kafka takes the letters a to z, digits, `.`, `-` and `_`
    several.toml:21:10: within of [[join]] `resolve` must be a string, not an integer
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    several.toml:22:8: the plugin `order-status` has no function `resolved`; did you mean `resolve`?
      help: its join functions are `resolve`
    several.toml:24:1: [[sink]] to `orders` has no `from`
      help: name a step, or one of its ports: "step" or "step.port"
    several.toml:25:1: unknown key `form` in [[sink]] to `orders`; did you mean `from`?
      help: it can have `from`, `topic`, `key`, `on-error`, `on-null-key`, `dlq` and `retry`
    "#);
}

#[test]
fn every_wrong_file_has_a_test() {
    let tests = include_str!("wrong_pipelines.rs");
    for file in std::fs::read_dir(wrong()).unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(tests.contains(&format!("check(\"{name}\")")), "{name}.toml");
    }
}

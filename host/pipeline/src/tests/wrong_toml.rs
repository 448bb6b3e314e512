//! Files that are not TOML, or hardly.

use super::*;

#[test]
fn a_file_without_an_app_is_refused() {
    let text = "[[source]]\nname = \"payments\"\ntopic = \"payment-orders\"\n";
    insta::assert_snapshot!(errors_in(&[raw("a.toml", text)], &[]), @r#"
    a.toml: the file has no `app`
      help: say which app this is part of: app = "orders"
    "#);
}

#[test]
fn the_message_for_an_empty_file_names_the_missing_app() {
    insta::assert_snapshot!(errors_in(&[raw("a.toml", "")], &[]), @r#"
    a.toml: the file has no `app`
      help: say which app this is part of: app = "orders"
    "#);
}

#[test]
fn a_pipeline_without_files_is_refused() {
    insta::assert_snapshot!(errors_in(&[], &[]), @": there is no pipeline file");
}

#[test]
fn the_message_for_broken_toml_has_its_place() {
    let body = r#"
        [[source]
        name = "payments"
        topic = payment-orders
        name = "twice"
    "#;
    insta::assert_snapshot!(errors(body), @"a.toml:3:10: not TOML: unclosed array table, expected `]`");
}

#[test]
fn the_message_for_an_unterminated_string_has_the_place_of_its_end() {
    let files = [raw("a.toml", "app = \"orders")];
    insta::assert_snapshot!(errors_in(&files, &[]), @r#"a.toml:1:14: not TOML: invalid basic string, expected `"`"#);
}

#[test]
fn broken_toml_in_one_file_neither_hides_nor_causes_mistakes_of_another() {
    let broken = raw("broken.toml", "app = \"a\"\n[[source]]\nname = payments");
    let files = [broken, file("[[sink]]\nfrom = \"payments\"\ntopic = \"orders\"\nkye = \"plain\"")];
    insta::assert_snapshot!(errors_in(&files, &[]), @"
    broken.toml:3:8: not TOML: string values must be quoted, expected literal string
    a.toml:5:1: unknown key `kye` in [[sink]] to `orders`; did you mean `key`?
      help: it can have `from`, `topic`, `key`, `on-error`, `on-null-key`, `dlq` and `retry`
    ");
}

#[test]
fn zero_bytes_and_foreign_letters_are_refused_in_names() {
    let text = "app = \"zażółć\"\n[[source]]\nname = \"płatności\"\ntopic = \"\\u0000\"\n\"\u{1f980}\" = 1\n[\"\"]\n";
    insta::assert_snapshot!(errors_in(&[raw("a.toml", text)], &[]), @r#"
    a.toml:1:7: the app's name is the start of the names of its internal topics, and 'ż' can't be in the name of a topic
      help: Kafka takes the letters a to z, digits, `.`, `-` and `_`
    a.toml:3:8: name of [[source]] `płatności`: 'ł' can't be in a name
      help: names are made of the letters a to z, digits, `-` and `_`
    a.toml:4:9: topic of [[source]] `płatności`: '\0' can't be in the name of a topic
      help: Kafka takes the letters a to z, digits, `.`, `-` and `_`
    a.toml:5:1: unknown key `🦀` in [[source]] `płatności`
      help: it can have `name`, `topic`, `key`, `value`, `partitions`, `timestamp`, `on-bad-time`, `max-ahead`, `on-ahead`, `validate`, `on-error`, `on-null-key`, `dlq` and `retry`
    a.toml:6:2: unknown key ``
      help: app-wide keys are app, dlq, commit-interval, threads, on-worker-failure, deploy-on-start, flood-guard, breaker, limits, kafka, plugins; steps are source, table, global-table, transform, merge, join, lookup, table-join, aggregate, process, dedup, sink
    "#);
}

#[test]
fn a_zero_byte_in_the_file_is_a_syntax_error() {
    insta::assert_snapshot!(errors_in(&[raw("a.toml", "app = \"a\"\n\0\0")], &[]), @r"
    a.toml:2:1: not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
    a.toml:2:3: not TOML: key with no value, expected `=`
    ");
}

#[test]
fn integers_have_64_bits() {
    let body = r"
        threads = 99999999999999999999
    ";
    insta::assert_snapshot!(errors(body), @"a.toml:3:11: this number is too big: integers have 64 bits");
}

#[test]
fn a_dotted_key_without_end_is_refused() {
    let text = format!("app = \"a\"\n{} = 1\n", vec!["a"; 100_000].join("."));
    insta::assert_snapshot!(errors_in(&[raw("a.toml", &text)], &[]), @"a.toml:2:130: tables and lists are nested too deeply");
}

#[test]
fn text_that_is_nested_too_deeply_is_refused_at_any_place() {
    let key = vec!["a"; 40].join(".");
    for text in [
        format!("{key}.{key} = 1"),
        format!("[{key}.{key}]"),
        format!("x = {{ {key} = {{ {key} = 1 }} }}"),
        format!("x = {}", "[".repeat(1000)),
        format!("x = {}", "{ a.a.a = ] ".repeat(1000)),
    ] {
        let answer = errors_in(&[raw("a.toml", &format!("app = \"a\"\n{text}\n"))], &[]);
        assert!(answer.starts_with("a.toml:2:") && answer.ends_with(" nested too deeply\n"), "{answer}");
    }
}

#[test]
fn the_deepest_accepted_nesting_does_not_exhaust_the_stack() {
    let (header, key) = (vec!["a"; 60].join("."), vec!["a"; 60].join("."));
    let text = format!("app = \"a\"\n[plugins.p.config.{header}]\n{key} = {{ x = [1, {{ y = \"{key}.{key}\" }}] }}\n");
    let deepest = errors_in(&[raw("a.toml", &text)], &[]);
    insta::assert_snapshot!(deepest, @r#"
    a.toml:2:10: [plugins.p] has no `component`
      help: give its path: component = "plugin.wasm"
    "#);
}

#[test]
fn a_file_of_records_is_recognised_and_the_message_names_its_option() {
    let text = "{\"topic\":\"in\",\"key\":1}\n{\"topic\":\"in\",\"key\":2}\n";
    insta::assert_snapshot!(errors_in(&[raw("in.jsonl", text)], &[]), @"
    in.jsonl:1:1: this is JSON, and a pipeline file is TOML
      help: name the pipeline file here; records are read with `--in FILE`
    ");
}

//! Settings that a step can't have.

use super::*;

#[test]
fn a_step_that_has_no_late_records_refuses_settings_for_them() {
    let body = r#"
        [[source]]
        name = "in"
        topic = "in"
        on-late = "drop"
        [[transform]]
        name = "step"
        from = "in"
        call = "p.check"
        on-late = "dead-letter"
        [[aggregate]]
        name = "all"
        from = "step"
        call = "p.shown"
        on-late = "dead-letter"
        [[aggregate]]
        name = "windows"
        from = "step"
        call = "p.shown"
        window = { tumbling = "1m" }
        on-late = "dead-letter"
        [[merge]]
        name = "both"
        from = ["all", "windows"]
        [[sink]]
        from = "both"
        topic = "out"
    "#;
    insta::assert_snapshot!(errors(body), @"
    a.toml:6:1: on-late of [[source]] `in`: no record is late for it
      help: leave it out: it is for [[join]], [[dedup]] and [[aggregate]] with a window
    a.toml:11:1: on-late of [[transform]] `step`: no record is late for it
      help: leave it out: it is for [[join]], [[dedup]] and [[aggregate]] with a window
    a.toml:16:1: on-late of [[aggregate]] `all`: no record is late for it
      help: leave it out: it is for [[join]], [[dedup]] and [[aggregate]] with a window
    ");
}

#[test]
fn a_topic_that_the_app_writes_with_another_key_codec_than_it_reads_is_refused() {
    let with = |sink: &str, table: &str| {
        errors(&format!(
            "\n[[source]]\nname = \"in\"\ntopic = \"in\"\nkey = \"i64\"\n[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\n\
             call = \"p.shown\"\nwindow = {{ tumbling = \"1m\" }}\n[[sink]]\nfrom = \"sums\"\ntopic = \"sums\"\n\
             key = \"{sink}\"\n[[table]]\nname = \"rows\"\ntopic = \"sums\"\nkey = \"{table}\"\n"
        ))
    };
    insta::assert_snapshot!(with("windowed", "i64"), @r#"
    a.toml:17:8: [[table]] `rows` reads i64 keys from `sums`, and a [[sink]] writes windowed keys there
      help: say key = "bytes" there: a windowed key is the key, then start and end of its window, 8 bytes each
    "#);
    insta::assert_snapshot!(with("plain", "string"), @r#"
    a.toml:17:8: [[table]] `rows` reads string keys from `sums`, and a [[sink]] writes i64 keys there
      help: say key = "i64" there
    "#);
    for (sink, table) in [("windowed", "bytes"), ("plain", "i64"), ("plain", "bytes")] {
        assert!(with(sink, table).starts_with("nothing is wrong"), "{sink} {table}: {}", with(sink, table));
    }
}

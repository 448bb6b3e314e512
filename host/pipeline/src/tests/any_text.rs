//! Whatever the text is, the answer is a topology or a list of mistakes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const GOOD: [&str; 2] = [
    include_str!("../../../../pipelines/orders.toml"),
    r#"
app = "a"
plugins.p = { component = "p.wasm", config = { x = [1, 2.5, "three", { four = 4 }], at = 2026-01-01T00:00:00Z } }
limits = { memory = "64MiB", deadline = "1s" }
kafka = { "fetch.min.bytes" = 1 }
[[source]]
name = "s"
topic = "s-in"
key = "string"
validate = "p.check"
partitions = 2
[[transform]]
name = "t"
from = ["s", "m.new"]
call = "p.fan"
retry = { attempts = 3, delay = "1s", factor = 2.0 }
[[transform]]
name = "m"
from = "s"
call = "p.fan"
[[aggregate]]
name = "g"
from = "t.new"
call = "p.shown"
window = { hopping = "5m", every = "1m" }
[[lookup]]
name = "l"
stream = "t.same"
table = "rows"
kind = "left"
call = "p.pair"
[[table]]
name = "rows"
from = "t.same"
[[dedup]]
name = "d"
from = "l"
by = ["header:id", "field:id"]
within = "1d"
[[sink]]
from = "d"
topic = "out"
key = "windowed"
"#,
];

/// Every diagnostic can be shown, and points into its file.
fn judge(texts: &[String], overrides: &[(&str, &str)]) {
    let files: Vec<_> = texts.iter().map(|text| SourceFile { path: "any.toml".into(), text: text.clone() }).collect();
    let manifests = manifests(&[PLUGIN, "order-status: join resolve key=i64"]);
    let overrides = overridden(overrides);
    match build(&read(&files, &Given { overrides: &overrides, ..Given::default() }), &manifests) {
        Ok(topology) => {
            assert_sound(&topology);
            for format in [Format::Text, Format::Mermaid, Format::Dot, Format::Json] {
                assert!(render(&topology, format).ends_with('\n'));
            }
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty());
            for diagnostic in diagnostics {
                assert!(!diagnostic.to_string().is_empty());
                let Some(span) = &diagnostic.span else { continue };
                assert!(files.iter().any(|file| file.text.get(span.clone()).is_some_and(|text| !text.is_empty())));
            }
        }
    }
}

#[test]
fn check_ends_for_a_file_truncated_anywhere() {
    for text in GOOD {
        for (end, _) in text.char_indices() {
            judge(&[text[..end].to_owned()], &[]);
        }
    }
}

#[test]
fn check_ends_for_a_file_without_one_of_its_lines() {
    for text in GOOD {
        for left_out in 0..text.lines().count() {
            let lines = text.lines().enumerate().filter(|(index, _)| *index != left_out).map(|(_, line)| line);
            judge(&[lines.collect::<Vec<_>>().join("\n")], &[]);
        }
    }
}

proptest! {
    #[test]
    fn check_ends_for_any_bytes(bytes in vec(any::<u8>(), 0..400)) {
        judge(&[String::from_utf8_lossy(&bytes).into_owned()], &[]);
    }

    #[test]
    fn check_ends_for_any_characters_of_toml(text in "[a-c\\[\\]{}=.,\"'#\n 0-9\u{0}é-]{0,200}") {
        judge(&[text], &[]);
    }

    #[test]
    fn check_ends_for_a_file_with_a_replaced_part(
        which in 0..GOOD.len(), start in 0..2000_usize, length in 0..40_usize, text in ".{0,10}",
    ) {
        let characters: Vec<char> = GOOD[which].chars().collect();
        let start = start.min(characters.len());
        let end = (start + length).min(characters.len());
        let (head, tail): (String, String) = (characters[..start].iter().collect(), characters[end..].iter().collect());
        judge(&[head + &text + &tail], &[]);
    }

    #[test]
    fn check_ends_for_lines_in_any_order(which in 0..GOOD.len(), order in vec(any::<u16>(), 1..60)) {
        let lines: Vec<_> = GOOD[which].lines().collect();
        let text = order.iter().map(|index| lines[usize::from(*index) % lines.len()]).collect::<Vec<_>>().join("\n");
        judge(&["app = \"a\"\n".to_owned() + &text, text], &[]);
    }

    #[test]
    fn check_ends_for_any_override(which in 0..GOOD.len(), key in "(plugins\\.p|s|t|limits|kafka|sink-out)?[.a-z]{0,8}", value in ".{0,12}") {
        judge(&[GOOD[which].to_owned()], &[(key.as_str(), value.as_str())]);
    }
}

//! Hides values in the text of a pipeline file that may be passwords.
//!
//! Messages show lines of a file around a mistake, even if the file isn't TOML. So values are found in two ways. By
//! lines, whatever is wrong with the file: all values outside the tables of a pipeline, so that those below a misspelt
//! `[kafka]` are hidden, and values of names like librdkafka's. If the file is TOML, also by its values, since one may
//! span lines.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::merge::{APP_KEYS, STEP_TABLES};
use super::nesting::too_deep;
use millrace_engine::secret::HIDDEN;

/// The text with stars and blanks in place of hidden values. All other bytes, and all line ends, keep their places.
///
/// ```
/// let text = "[kafka]\nsasl.password = \"opensesame\"\nlinger.ms = 5\n\n[[source]]\nname = \"in\"\n";
/// let shown = millrace_pipeline::without_secrets(text);
/// assert_eq!(shown.len(), text.len());
/// assert!(shown.starts_with("[kafka]\nsasl.password = ***") && shown.ends_with("[[source]]\nname = \"in\"\n"));
/// ```
pub fn without_secrets(text: &str) -> String {
    let mut hidden = in_lines(text);
    if too_deep(text).is_none() {
        let (document, _) = DeTable::parse_recoverable(text);
        in_values(document.get_ref(), false, &mut hidden);
    }
    hidden.sort_by_key(|range| range.start);
    let mut shown = String::with_capacity(text.len());
    for range in hidden {
        let start = range.start.max(shown.len());
        let (Some(before), Some(inside)) = (text.get(shown.len()..start), text.get(start..range.end)) else { continue };
        shown += before;
        shown += &stars(inside);
    }
    shown += text.get(shown.len()..).unwrap_or_default();
    shown
}

/// Stars and blanks of the same length, with the same line ends.
fn stars(text: &str) -> String {
    let byte = |(index, byte): (usize, u8)| match byte {
        b'\n' | b'\r' => char::from(byte),
        _ if index < HIDDEN.len() => '*',
        _ => ' ',
    };
    text.bytes().enumerate().map(byte).collect()
}

/// Whether the values of a top-level table or key may be shown.
fn is_open(name: &str) -> bool {
    name != "kafka" && (name == "plugins" || STEP_TABLES.contains(&name) || APP_KEYS.contains(&name))
}

/// Whether a setting of this name has a password or a key, in any table.
fn is_secret(name: &str) -> bool {
    ["kafka", "sasl", "ssl"].iter().any(|start| {
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    })
}

/// Hides lines that may have a secret, from the first `=` to the end; the whole line if no name is before an `=`, or if
/// it is in a string of several lines, which may have no end.
fn in_lines(text: &str) -> Vec<Range<usize>> {
    let (mut hidden, mut start, mut at_top, mut open) = (Vec::new(), 0, true, true);
    let mut inside: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        if let Some(quotes) = inside {
            hidden.push(start..end);
            inside = inside.filter(|_| !line.contains(quotes));
            start += line.len();
            continue;
        }
        let content = line.trim_start_matches(|first: char| first.is_whitespace() || first == '#');
        let name = content.trim_start_matches(['[', '"', '\'']).split(['=', '.', ']', '"', '\'', ' ', '\n']).next();
        let name = name.unwrap_or_default();
        let bracketed = line.trim_start().starts_with('[');
        // In quotes it may be a list.
        let is_header = bracketed && content.trim_start_matches('[').starts_with(|first: char| first.is_alphanumeric());
        if bracketed {
            (at_top, open) = (false, is_header && is_open(name));
        }
        let shown = open && !is_secret(name) && (!at_top || is_open(name) || line.trim_start().starts_with('#'));
        if !shown {
            inside = ["\"\"\"", "\'\'\'"].into_iter().find(|quotes| line.matches(quotes).count() % 2 == 1);
        }
        let equals = line.find('=').filter(|equals| line.get(..*equals).is_some_and(is_name));
        match equals {
            _ if shown => {}
            Some(equals) => hidden.push(start + equals + 1 + blanks(line, equals + 1)..end),
            None if is_header || content.is_empty() => {}
            None => hidden.push(start..end),
        }
        start += line.len();
    }
    hidden
}

/// Whether this is the name of a setting, perhaps in a comment, and nothing else.
fn is_name(text: &str) -> bool {
    let name = text.trim_start_matches(|first: char| first.is_whitespace() || first == '#').trim_end();
    let bare = |part: &str| part.chars().all(|each| each.is_alphanumeric() || "._-".contains(each));
    let quoted = |quote: char| name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)).is_some_and(bare);
    bare(name) || quoted('"') || quoted('\'')
}

/// Number of blanks in a line from this byte on.
fn blanks(line: &str, from: usize) -> usize {
    line.bytes().skip(from).take_while(|byte| *byte == b' ').count()
}

/// The values of hidden tables, and of names with passwords.
fn in_values(table: &DeTable<'_>, below_top: bool, hidden: &mut Vec<Range<usize>>) {
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        if is_secret(name) || !(below_top || is_open(name)) {
            leaves(value, hidden);
        } else {
            nested(value, hidden);
        }
    }
}

fn nested(value: &Spanned<DeValue<'_>>, hidden: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(inner) => in_values(inner, true, hidden),
        DeValue::Array(items) => items.iter().for_each(|item| nested(item, hidden)),
        _ => {}
    }
}

fn leaves(value: &Spanned<DeValue<'_>>, hidden: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(inner) => inner.iter().for_each(|(_, value)| leaves(value, hidden)),
        DeValue::Array(items) => items.iter().for_each(|item| leaves(item, hidden)),
        _ => hidden.push(value.span()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Right and wrong files with a password.
    const FILES: [&str; 22] = [
        "[kafka]\nsasl.password = \"hunter2\"\n",
        "[kafka]\n\"sasl.password\" = \"\"\"\nhunter2\n[[source]]\nhunter2\"\"\"\n",
        "kafka.sasl.password = 'hunter2'\n",
        "kafka = { \"sasl.password\" = \"hunter2\", \"group.id\" = \"x\" }\n",
        "kafka.sasl = { password = [\"hunter2\",\n\"hunter2\"] }\n",
        "kafka = \"hunter2\"\n",
        "[[kafka]]\nx = \"hunter2\"\n",
        "[kafka.sasl]\npassword = \"hunter2\"\n[[source]]\nname = \"a\"\n",
        "[kafak]\nsasl.password = \"hunter2\"\n",
        "[kafka\nsasl.password = \"hunter2\"\n",
        "[kafka]\nsasl.password = \"hunter2\n\n[[source]]\nname = \"a\"\n",
        "[kafka]\nsasl.password = hunter2\n",
        "[kafka]\nsasl.password : hunter2\n",
        "[kafka]\nsasl.password = [\n[\"hunter2\"],\n\"hunter2\"\n",
        "[kafka]\n# sasl.password = \"hunter2\"\n",
        "[[source]]\nname = \"a\"\nsasl.password = \"hunter2\"\n\"ssl.key.password\" = \"hunter2\"\n",
        "app = \"a\"\nsasl.password = \"hunter2\"\n# kafka.sasl.password = hunter2\n",
        "[kafka]\nsasl.password : hunter2=\n",
        "[kafka]\nsasl.password \"hunter2=x\"\n",
        "[kafka]\nssl.key.pem = \"\"\"\nhunter2\nhunter2==\n",
        "[kafka]\nssl.key.pem = \'\'\'\nhunter2=\'\'\'\nsasl.password hunter2=\n",
        "[plugins.p]\nconfig = { sasl.password = \"hunter2\" }\n",
    ];

    #[test]
    fn a_value_that_may_be_a_password_is_hidden_in_right_and_wrong_files() {
        for text in FILES {
            let shown = without_secrets(text);
            assert!(!shown.contains("hunter2"), "{text}\n{shown}");
            assert_eq!(shown.len(), text.len());
        }
    }

    #[test]
    fn values_that_are_no_secrets_are_shown() {
        let text = include_str!("../../../pipelines/orders.toml");
        assert_eq!(without_secrets(text), text);
        insta::assert_snapshot!(without_secrets("# a = b\napp = \"a\"\n[kafka]\nlinger.ms = 5 # \"quick\"\n\n[limits]\noutputs = 5\n").replace(' ', "_"), @r#"
        #_a_=_b
        app_=_"a"
        [kafka]
        linger.ms_=_***________

        [limits]
        outputs_=_5
        "#);
    }

    proptest! {
        #[test]
        fn any_text_keeps_its_length_and_its_lines(text in "(\\[|\\]|=|\"|kafka|app|sasl\\.|ä|\n|\r| |#|'){0,60}") {
            let shown = without_secrets(&text);
            prop_assert_eq!(shown.len(), text.len());
            let ends = |text: &str| text.match_indices('\n').map(|(at, _)| at).collect::<Vec<_>>();
            prop_assert_eq!(ends(&shown), ends(&text));
        }
    }
}

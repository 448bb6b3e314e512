//! Settings on the command line: `KEY=VALUE`, and `KEY=FILE` for values that a list of processes must not show.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use millrace_engine::secret::Secret;

/// A setting with its value, byte for byte.
pub(super) fn setting(text: &str) -> Result<(String, Secret), String> {
    secret(text, "expected KEY=VALUE, such as commit-interval=100ms")
}

/// A setting with the file that contains its value.
pub(super) fn setting_in_file(text: &str) -> Result<(String, PathBuf), String> {
    let (key, file) =
        split_at_equals(text).ok_or("expected KEY=FILE, such as kafka.sasl.password=/run/secrets/kafka")?;
    Ok((key, PathBuf::from(file)))
}

/// A plugin with the file of its component.
pub(super) fn plugin_file(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = split_at_equals(text).ok_or("expected NAME=FILE, such as order-status=order_status.wasm")?;
    Ok((name, PathBuf::from(file)))
}

fn secret(text: &str, expected: &str) -> Result<(String, Secret), String> {
    split_at_equals(text).map(|(key, value)| (key, Secret::from(value))).ok_or_else(|| expected.to_owned())
}

/// A setting of librdkafka.
pub(super) fn kafka_setting(text: &str) -> Result<(String, Secret), String> {
    secret(text, "expected KEY=VALUE")
}

/// A setting of a topic.
pub(super) fn topic_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = split_at_equals(text).ok_or("expected KEY=VALUE")?;
    Ok((key, value.trim().to_owned()))
}

fn split_at_equals(text: &str) -> Option<(String, &str)> {
    text.split_once('=').map(|(key, value)| (key.trim().to_owned(), value))
}

/// The settings, then those whose values are in files.
///
/// # Errors
/// A file can't be read, or isn't text.
pub(super) fn with_files(given: &[(String, Secret)], files: &[(String, PathBuf)]) -> Result<Vec<(String, Secret)>> {
    let read = files.iter().map(|(key, path)| Ok((key.clone(), read(key, path)?)));
    given.iter().cloned().map(Ok).chain(read).collect()
}

/// The content of a file, without the newline that editors and `echo` put at its end.
pub(super) fn read(key: &str, path: &Path) -> Result<Secret> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("the value of `{key}`: {shown}: can't be read"))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        anyhow!("the value of `{key}`: {shown}: not UTF-8: the file must hold the text and nothing else")
    })?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Secret::from(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_value_from_a_file_is_its_content_without_one_newline_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (content, right) in
            [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a\nb \n", " a\nb "), ("", ""), ("\n", "")]
        {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read("x", &path).unwrap().expose(), right, "{content:?}");
        }
    }

    #[test]
    fn a_value_is_taken_byte_for_byte_and_its_name_without_blanks() {
        for (text, name, value) in [("a=b", "a", "b"), (" a = b ", "a", " b "), ("a==", "a", "="), ("a=", "a", "")] {
            let (key, found) = kafka_setting(text).unwrap();
            assert_eq!((key.as_str(), found.expose()), (name, value));
        }
    }
}

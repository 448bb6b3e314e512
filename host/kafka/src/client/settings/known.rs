//! The settings of librdkafka with their types and ranges, from its own table.

use std::collections::BTreeMap;

use crate::client::native;

/// All settings by name, also by those that are only another name for one.
pub(crate) struct Known(BTreeMap<String, Property>);

/// The type and range of a setting.
struct Property {
    /// Such as `string`, `integer` or `enum value`.
    kind: String,
    /// `0 .. 900000`, or names with commas; empty for text.
    range: String,
}

impl Known {
    /// Asks librdkafka.
    pub(crate) fn load() -> Self {
        Self(native::properties().lines().filter_map(property).collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether it takes text, which may be a password; as one that isn't known does.
    pub(crate) fn is_text(&self, name: &str) -> bool {
        self.0.get(name).is_none_or(|property| property.range.is_empty())
    }

    /// The type and range of a setting, for a message.
    pub(crate) fn takes(&self, name: &str) -> String {
        let Some(Property { kind, range }) = self.0.get(name) else { return "leave it out".to_owned() };
        match (kind.as_str(), range.split_once(" .. ")) {
            ("integer", Some((low, high))) => format!("it takes whole numbers from {low} to {high}"),
            (_, Some((low, high))) => format!("it takes numbers from {low} to {high}"),
            _ if !range.is_empty() => format!("it takes {}", range.replace(", ", " | ")),
            ("string" | "pattern list", _) => "it takes text that isn't empty".to_owned(),
            _ => "it can't be set by a file or the command line: leave it out".to_owned(),
        }
    }
}

/// A line of the table: name | producer or consumer | range | default | importance | description with the type.
fn property(line: &str) -> Option<(String, Property)> {
    let mut columns = line.splitn(6, " | ").map(str::trim);
    let (name, _, range, _, _) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let (_, kind) = columns.next()?.rsplit_once("*Type: ")?;
    let property = Property { kind: kind.trim_end_matches('*').to_owned(), range: range.to_owned() };
    Some((name.to_owned(), property))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_setting_comes_from_librdkafka() {
        let known = Known::load();
        assert!(known.names().count() > 150, "{}", native::properties());
        for (name, takes) in [
            ("linger.ms", "it takes numbers from 0 to 900000"),
            ("security.protocol", "it takes plaintext | ssl | sasl_plaintext | sasl_ssl"),
            ("enable.sparse.connections", "leave it out"),
            ("log.connection.close", "it takes true | false"),
            ("socket.timeout.ms", "it takes whole numbers from 10 to 300000"),
            ("sasl.password", "it takes text that isn't empty"),
            ("log_cb", "it can't be set by a file or the command line: leave it out"),
        ] {
            assert_eq!(known.takes(name), takes, "{name}");
        }
        for name in ["sasl.password", "ssl.key.pem", "sasl.oauthbearer.config", "no.such.setting"] {
            assert!(known.is_text(name), "{name}");
        }
        assert!(!known.is_text("security.protocol") && !known.is_text("linger.ms"));
        assert!(known.has("sasl.mechanism") && known.has("sasl.mechanisms"), "both names of one");
    }
}

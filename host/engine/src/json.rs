//! JSON texts without a tree of values: one field, and the depth.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of a field of a JSON object. Of several fields with the same name the last one counts, as in most readers
/// of JSON. `None` if the field is missing or null, or if the text is no object.
pub(crate) fn field<'v>(text: &'v [u8], name: &str) -> Option<&'v str> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Fields { name }.deserialize(&mut reader).ok()??;
    reader.end().ok()?;
    Some(value.get()).filter(|value| *value != "null")
}

/// The identity of a JSON value: a string's characters between quotes, however they are escaped; any other value's
/// text. The text must be JSON.
pub(crate) fn identity(text: &str) -> Cow<'_, [u8]> {
    if !text.starts_with('"') || !text.contains('\\') {
        return Cow::Borrowed(text.as_bytes());
    }
    // Half of a surrogate pair is no character, but has three bytes here.
    let characters = Characters.deserialize(&mut serde_json::Deserializer::from_str(text));
    characters.map_or(Cow::Borrowed(text.as_bytes()), |characters| {
        Cow::Owned([b"\"".as_slice(), characters.as_slice(), b"\""].concat())
    })
}

/// Most levels of nested arrays and objects. The SDK's `Doc` has the same limit.
pub(crate) const MAX_DEPTH: usize = 128;

/// Whether arrays and objects exceed [`MAX_DEPTH`]. The text must be JSON.
pub(crate) fn is_too_deep(text: &[u8]) -> bool {
    // Most texts are too short, or have too few brackets: that check takes a fraction of the time.
    if text.len() < 2 * (MAX_DEPTH + 1) || opening_brackets(text) <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Number of opening brackets, including those in strings.
fn opening_brackets(text: &[u8]) -> usize {
    // Sums of bytes, so that the compiler counts many bytes at once.
    let count = |part: &[u8]| part.iter().map(|byte| u8::from(matches!(byte, b'{' | b'['))).sum::<u8>();
    text.chunks(usize::from(u8::MAX)).map(|part| usize::from(count(part))).sum()
}

struct Fields<'n> {
    name: &'n str,
}

impl<'v> DeserializeSeed<'v> for Fields<'_> {
    type Value = Option<&'v RawValue>;

    fn deserialize<D: Deserializer<'v>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'v> Visitor<'v> for Fields<'_> {
    type Value = Option<&'v RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<M: MapAccess<'v>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(Name(self.name))? {
            if wanted {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a field's name is this one.
struct Name<'n>(&'n str);

impl<'v> DeserializeSeed<'v> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'v>>(self, reader: D) -> Result<bool, D::Error> {
        // As bytes, because a name may have half of a surrogate pair, which is legal JSON, but no text.
        reader.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<bool, E> {
        Ok(name == self.0.as_bytes())
    }
}

/// The characters of a string.
struct Characters;

impl<'v> DeserializeSeed<'v> for Characters {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'v>>(self, reader: D) -> Result<Vec<u8>, D::Error> {
        reader.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Characters {
    type Value = Vec<u8>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_bytes<E>(self, characters: &[u8]) -> Result<Vec<u8>, E> {
        Ok(characters.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, field, identity, is_too_deep};

    #[test]
    fn a_field_is_returned_as_its_text() {
        let text = br#" { "a" : 1.50 , "b":"x\u0041" ,"c": {"a": 2}, "d":[ 1, 2 ], "e": null, "\u0066": true } "#;
        let cases =
            [("a", Some("1.50")), ("b", Some("\"x\\u0041\"")), ("c", Some("{\"a\": 2}")), ("d", Some("[ 1, 2 ]"))];
        for (name, value) in cases.into_iter().chain([("e", None), ("f", Some("true")), ("g", None), ("", None)]) {
            assert_eq!(field(text, name), value, "{name}");
        }
    }

    #[test]
    fn the_last_of_several_fields_with_one_name_counts() {
        assert_eq!(field(br#"{"a":1,"b":2,"a":3}"#, "a"), Some("3"));
        assert_eq!(field(br#"{"a":1,"a":null}"#, "a"), None);
    }

    #[test]
    fn half_of_a_surrogate_pair_in_a_name_or_a_value_hides_no_other_field() {
        for text in [r#"{"\ud83d":1,"id":7}"#, r#"{"id":7,"\ud83d":1}"#, r#"{"id":7,"a":"\ud83d"}"#] {
            assert_eq!(field(text.as_bytes(), "id"), Some("7"), "{text}");
        }
    }

    #[test]
    fn only_strings_with_the_same_characters_have_the_same_identity() {
        for (one, other) in [
            (r#""caf\u00e9""#, "\"café\""),
            (r#""a\/b""#, r#""a/b""#),
            (r#""\ud83d\ude00""#, "\"\u{1f600}\""),
            (r#""\u0061""#, r#""a""#),
        ] {
            assert_eq!(identity(one), identity(other), "{one} {other}");
        }
        let others = [
            "1",
            "1.0",
            "1e0",
            r#""1""#,
            r#""\"1\"""#,
            r#""\\u0031""#,
            r#"{"x":1}"#,
            r#"{ "x": 1 }"#,
            r#""\ud83d""#,
            r#""\ud83e""#,
        ];
        for (at, one) in others.iter().enumerate() {
            for other in others.iter().skip(at + 1) {
                assert_ne!(identity(one), identity(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn depth_counts_open_arrays_and_objects_outside_of_strings() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for (text, deep) in [
            (nested(MAX_DEPTH), false),
            (nested(MAX_DEPTH + 1), true),
            (nested(100_000), true),
            (format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1)), true),
            (format!("[{}]", "[],".repeat(300) + "[]"), false),
            (format!("[{}1]", "[],".repeat(1_000)), false),
            (format!(r#"["\"{}"]"#, "[".repeat(1_000)), false),
            (format!(r#"{{"a":{}}}"#, nested(MAX_DEPTH)), true),
        ] {
            assert_eq!(is_too_deep(text.as_bytes()), deep, "{} bytes", text.len());
        }
    }

    #[test]
    fn a_text_that_is_no_object_has_no_fields() {
        for text in ["", "7", "null", "\"a\"", "[{\"a\":1}]", "{\"a\":1", "{\"a\":1}}", "{\"a\":1} 2", "{\"a\":1,}"] {
            assert_eq!(field(text.as_bytes(), "a"), None, "{text}");
        }
        assert_eq!(field(b"{\"a\":\"\xff\"}", "a"), None);
    }
}

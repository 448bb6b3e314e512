//! One field of a JSON text, without making a tree of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of a field of a JSON object, as it stands there. Of several with the same name the last one counts, as in most
/// readers of JSON. `None` if the object has none or it is null, or if the text is no object.
pub(crate) fn field<'v>(text: &'v [u8], name: &str) -> Option<&'v str> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Fields { name }.deserialize(&mut reader).ok()??;
    reader.end().ok()?;
    Some(value.get()).filter(|value| *value != "null")
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

/// Whether a field has this name.
struct Name<'n>(&'n str);

impl<'v> DeserializeSeed<'v> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'v>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_is_the_text_that_stands_there() {
        let text = br#" { "a" : 1.50 , "b":"x\u0041" ,"c": {"a": 2}, "d":[ 1, 2 ], "e": null, "\u0066": true } "#;
        let cases =
            [("a", Some("1.50")), ("b", Some("\"x\\u0041\"")), ("c", Some("{\"a\": 2}")), ("d", Some("[ 1, 2 ]"))];
        for (name, value) in cases.into_iter().chain([("e", None), ("f", Some("true")), ("g", None), ("", None)]) {
            assert_eq!(field(text, name), value, "{name}");
        }
    }

    #[test]
    fn of_several_fields_with_one_name_the_last_one_counts() {
        assert_eq!(field(br#"{"a":1,"b":2,"a":3}"#, "a"), Some("3"));
        assert_eq!(field(br#"{"a":1,"a":null}"#, "a"), None);
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for text in ["", "7", "null", "\"a\"", "[{\"a\":1}]", "{\"a\":1", "{\"a\":1}}", "{\"a\":1} 2", "{\"a\":1,}"] {
            assert_eq!(field(text.as_bytes(), "a"), None, "{text}");
        }
        assert_eq!(field(b"{\"a\":\"\xff\"}", "a"), None);
    }
}

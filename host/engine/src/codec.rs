//! Whether keys and values are what their topic's codecs say.

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::manifest::KeyCodec;
use crate::topology::ValueCodec;

/// What doesn't fit, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    Key(String),
    Value(String),
}

/// What of a record doesn't fit its codecs, if anything. A null fits all of them.
pub(crate) fn misfit(
    (key, value): (Option<&Bytes>, Option<&Bytes>),
    (key_codec, value_codec): (KeyCodec, ValueCodec),
) -> Option<Misfit> {
    if let Some(bytes) = key {
        match key_codec {
            KeyCodec::I64 if bytes.len() != 8 => {
                return Some(Misfit::Key(format!("the key has {} bytes, but an i64 key has 8", bytes.len())));
            }
            KeyCodec::String => {
                if let Err(error) = std::str::from_utf8(bytes) {
                    return Some(Misfit::Key(format!("the key isn't UTF-8: {error}")));
                }
            }
            KeyCodec::I64 | KeyCodec::Bytes => {}
        }
    }
    match (value_codec, value) {
        (ValueCodec::Json, Some(bytes)) => not_json(bytes).map(Misfit::Value),
        _ => None,
    }
}

/// Why bytes aren't JSON.
fn not_json(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("the value is empty, but JSON was expected (a null value is a deletion)".into());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Some(format!("the value isn't UTF-8: {error}")),
    };
    serde_json::from_str::<IgnoredAny>(text).err().map(|error| format!("the value isn't JSON: {error}"))
}

//! Checks of keys and values against the codecs of their topic.

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::json;
use crate::manifest::KeyCodec;
use crate::topology::ValueCodec;

/// Why a key or a value doesn't match its codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CodecMismatch {
    Key(String),
    Value(String),
}

/// The first mismatch of a record with its codecs. A null matches every codec.
pub(crate) fn mismatch(
    (key, value): (Option<&Bytes>, Option<&Bytes>),
    (key_codec, value_codec): (KeyCodec, ValueCodec),
) -> Option<CodecMismatch> {
    if let Some(bytes) = key {
        match key_codec {
            KeyCodec::I64 if bytes.len() != 8 => {
                return Some(CodecMismatch::Key(format!("the key has {} bytes, but an i64 key has 8", bytes.len())));
            }
            KeyCodec::String => {
                if let Err(error) = std::str::from_utf8(bytes) {
                    return Some(CodecMismatch::Key(format!("the key isn't UTF-8: {error}")));
                }
            }
            KeyCodec::I64 | KeyCodec::Bytes => {}
        }
    }
    match (value_codec, value) {
        (ValueCodec::Json, Some(bytes)) => not_json(bytes).map(CodecMismatch::Value),
        _ => None,
    }
}

/// Why bytes aren't JSON.
fn not_json(bytes: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Some(encoding(bytes).unwrap_or_else(|| format!("the value isn't UTF-8: {error}"))),
    };
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) if json::is_too_deep(bytes) => {
            let most = json::MAX_DEPTH;
            Some(format!("the value has more than {most} levels of arrays and objects in each other"))
        }
        Ok(_) => None,
        Err(_) if bytes.is_empty() => {
            Some("the value is empty, but JSON was expected (a null value is a deletion)".into())
        }
        Err(error) => {
            Some(encoding(bytes).unwrap_or_else(|| format!("the value isn't JSON{}: {error}", lacking(text, &error))))
        }
    }
}

/// The error in the encoding of a value, if it is a known one.
fn encoding(bytes: &[u8]) -> Option<String> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => {
            Some("the value begins with a byte order mark, which JSON doesn't have: write it without".into())
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Some("the value begins with the byte order mark of UTF-16, and JSON is UTF-8: write it in that".into())
        }
        // JSON begins with ASCII, which has a zero byte beside it only in UTF-16.
        [0, other, ..] | [other, 0, ..] if other.is_ascii() && *other != 0 => {
            Some("the value looks like UTF-16, and JSON is UTF-8: write it in that".into())
        }
        _ => None,
    }
}

/// Explains an error at `NaN` or `Infinity`, which some languages write as JSON numbers.
fn lacking(text: &str, error: &serde_json::Error) -> &'static str {
    let before = |lines: usize| text.split_inclusive('\n').take(lines).map(str::len).sum::<usize>();
    let at = before(error.line().saturating_sub(1)) + error.column().saturating_sub(1);
    let here = text.as_bytes().get(at..).unwrap_or_default();
    let here = here.strip_prefix(b"-").unwrap_or(here);
    match here {
        _ if here.starts_with(b"NaN") => ", which has no NaN",
        _ if here.starts_with(b"Infinity") => ", which has no Infinity",
        _ => "",
    }
}

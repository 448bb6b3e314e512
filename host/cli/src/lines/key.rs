//! Keys as JSON, by the codec of their topic.

use std::io::{self, Write};

use base64::Engine;
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use millrace_engine::manifest::KeyCodec;

/// The bytes of the key with this JSON text. An error says what is wrong with it.
pub(super) fn parse(text: &str, codec: Option<KeyCodec>) -> Result<Bytes, String> {
    match codec {
        Some(KeyCodec::I64) => number(text),
        Some(KeyCodec::String) => string(text).map(Bytes::from),
        Some(KeyCodec::Bytes) => string(text).and_then(|encoded| base64(&encoded)),
        None => Err(format!("the codec of the keys is unknown, so {text} is ambiguous")),
    }
}

/// Help with an example of a key of this codec.
pub(super) fn help(codec: Option<KeyCodec>) -> String {
    let Some(codec) = codec else {
        return "set --key i64, --key string or --key bytes; raw bytes go into `keyBase64`".to_owned();
    };
    let right = match codec {
        KeyCodec::I64 => "a number such as 42",
        KeyCodec::String => r#"a string such as "c-42""#,
        KeyCodec::Bytes => r#"base64 such as "AAEC""#,
    };
    format!("keys of this topic are {}: {right}, or null; raw bytes go into `keyBase64`", codec.name())
}

/// Decodes base64.
pub(super) fn base64(encoded: &str) -> Result<Bytes, String> {
    let decoded = BASE64_STANDARD.decode(encoded);
    decoded.map(Bytes::from).map_err(|error| format!("not base64: {}", error.to_string().trim_end_matches('.')))
}

/// Writes `"key":..`, or `"keyBase64":..` if the key doesn't fit the codec or the codec is unknown.
pub(super) fn print(out: &mut Vec<u8>, key: &[u8], codec: Option<KeyCodec>) -> io::Result<()> {
    match codec {
        Some(KeyCodec::I64) => match <[u8; 8]>::try_from(key) {
            Ok(number) => write!(out, r#""key":{}"#, i64::from_be_bytes(number)),
            Err(_) => raw(out, "keyBase64", key),
        },
        Some(KeyCodec::String) => match std::str::from_utf8(key) {
            Ok(text) => {
                out.extend_from_slice(br#""key":"#);
                Ok(serde_json::to_writer(out, text)?)
            }
            Err(_) => raw(out, "keyBase64", key),
        },
        Some(KeyCodec::Bytes) => raw(out, "key", key),
        None => raw(out, "keyBase64", key),
    }
}

/// A key for people, as it is in JSON without quotes.
pub fn text(key: &[u8], codec: Option<KeyCodec>) -> String {
    match codec {
        Some(KeyCodec::I64) if let Ok(number) = <[u8; 8]>::try_from(key) => i64::from_be_bytes(number).to_string(),
        _ => BASE64_STANDARD.encode(key),
    }
}

/// Writes a field with these bytes in base64.
pub(super) fn raw(out: &mut Vec<u8>, field: &str, bytes: &[u8]) -> io::Result<()> {
    write!(out, r#""{field}":"{}""#, Base64Display::new(bytes, &BASE64_STANDARD))
}

fn number(text: &str) -> Result<Bytes, String> {
    let number: i64 = text.parse().map_err(|_| format!("{text} is not a whole number of 64 bits"))?;
    Ok(Bytes::copy_from_slice(&number.to_be_bytes()))
}

fn string(text: &str) -> Result<String, String> {
    serde_json::from_str(text).map_err(|_| format!("{text} is not a string"))
}

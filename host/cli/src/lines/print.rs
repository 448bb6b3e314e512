//! A record to a line.

use std::io::{self, Write};

use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::Timestamp;

use super::{Line, headers, json, key};

/// Appends a record to `out` as one line, with the newline. White space in a JSON value is left out. Without a codec the
/// key is printed as raw bytes.
///
/// # Errors
/// None in practice: a `Vec` takes what it is given.
pub fn print(out: &mut Vec<u8>, line: &Line<'_>, codec: Option<KeyCodec>) -> io::Result<()> {
    out.extend_from_slice(br#"{"topic":"#);
    serde_json::to_writer(&mut *out, &line.topic)?;
    if let Some(partition) = line.partition {
        write!(out, r#","partition":{partition}"#)?;
    }
    out.push(b',');
    match &line.key {
        Some(bytes) => key::print(out, bytes, codec)?,
        None => out.extend_from_slice(br#""key":null"#),
    }
    out.push(b',');
    print_value(out, line.value.as_deref())?;
    if let Some(timestamp) = line.timestamp {
        write!(out, r#","timestamp":{timestamp}"#)?;
    }
    if !line.headers.as_slice().is_empty() {
        out.extend_from_slice(br#","headers":"#);
        headers::print(out, line.headers.as_slice())?;
    }
    if let Some(window) = line.window {
        write!(out, r#","window":[{},{}]"#, window.start, window.end)?;
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// Appends a row of a table to `out` as one line, with the newline.
///
/// # Errors
/// None in practice: a `Vec` takes what it is given.
pub fn print_row(out: &mut Vec<u8>, key: &[u8], value: &[u8], timestamp: Timestamp, codec: KeyCodec) -> io::Result<()> {
    out.push(b'{');
    key::print(out, key, Some(codec))?;
    out.push(b',');
    print_value(out, Some(value))?;
    writeln!(out, r#","timestamp":{timestamp}}}"#)
}

fn print_value(out: &mut Vec<u8>, value: Option<&[u8]>) -> io::Result<()> {
    let Some(value) = value else {
        out.extend_from_slice(br#""value":null"#);
        return Ok(());
    };
    match json::text(value).map(json::compact) {
        Some(text) if text != "null" => {
            out.extend_from_slice(br#""value":"#);
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        _ => key::raw(out, "valueBase64", value),
    }
}

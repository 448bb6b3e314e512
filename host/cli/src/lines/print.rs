//! From a record to a line.

use std::io::{self, Write};

use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::{Timestamp, Window};

use super::{Line, headers, json, key};

/// Appends a record to `out` as one line, with the newline. A JSON value loses its white space. Without a codec the key
/// is printed as raw bytes.
///
/// # Errors
/// None in practice: writing to a `Vec` doesn't fail.
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
    print_window(out, line.window)?;
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Timestamp of the record.
    pub timestamp: Timestamp,
    /// The window, if the row is the result of one.
    pub window: Option<Window>,
}

/// Appends a row of a table to `out` as one line, with the newline.
///
/// # Errors
/// None in practice: writing to a `Vec` doesn't fail.
pub fn print_row(out: &mut Vec<u8>, row: &Row<'_>, codec: KeyCodec) -> io::Result<()> {
    out.push(b'{');
    key::print(out, row.key, Some(codec))?;
    out.push(b',');
    print_value(out, Some(row.value))?;
    write!(out, r#","timestamp":{}"#, row.timestamp)?;
    print_window(out, row.window)?;
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn print_window(out: &mut Vec<u8>, window: Option<Window>) -> io::Result<()> {
    window.map_or(Ok(()), |window| write!(out, r#","window":[{},{}]"#, window.start, window.end))
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

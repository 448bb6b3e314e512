//! Headers: an object if their names are text and differ, otherwise a list of pairs.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};

use bytes::Bytes;
use millrace_engine::record::{Header, Headers};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::{key, known};

/// The headers with this JSON text. An error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Headers, String> {
    serde_json::from_str::<ParsedHeaders>(text).map(|parsed| Headers::from(parsed.0)).map_err(|error| {
        let reason = error.to_string();
        reason.rsplit_once(" at line ").map_or(reason.clone(), |(text, _)| text.to_owned())
    })
}

/// Writes the value of the field `headers`.
pub(super) fn print(out: &mut Vec<u8>, headers: &[Header]) -> io::Result<()> {
    if fit_an_object(headers) { print_object(out, headers) } else { print_pairs(out, headers) }
}

fn fit_an_object(headers: &[Header]) -> bool {
    let mut names = BTreeSet::new();
    headers.iter().all(|header| std::str::from_utf8(&header.name).is_ok() && names.insert(&header.name))
}

fn print_object(out: &mut Vec<u8>, headers: &[Header]) -> io::Result<()> {
    for (index, header) in headers.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        print_bytes(out, &header.name)?;
        out.push(b':');
        print_value(out, header)?;
    }
    out.push(b'}');
    Ok(())
}

fn print_pairs(out: &mut Vec<u8>, headers: &[Header]) -> io::Result<()> {
    for (index, header) in headers.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[[" } else { b",[" });
        print_bytes(out, &header.name)?;
        out.push(b',');
        print_value(out, header)?;
        out.push(b']');
    }
    out.push(b']');
    Ok(())
}

fn print_value(out: &mut Vec<u8>, header: &Header) -> io::Result<()> {
    match &header.value {
        Some(value) => match known::number(&header.name, value) {
            Some(number) => write!(out, "{number}"),
            None => print_bytes(out, value),
        },
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}

fn print_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(serde_json::to_writer(out, text)?),
        Err(_) => {
            out.push(b'{');
            key::raw(out, "base64", bytes)?;
            out.push(b'}');
            Ok(())
        }
    }
}

struct ParsedHeaders(Vec<Header>);

impl<'de> Deserialize<'de> for ParsedHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor).map(Self)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Vec<Header>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list of pairs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut headers, mut names) = (Vec::new(), BTreeSet::new());
        while let Some((name, value)) = map.next_entry::<String, Option<HeaderValue>>()? {
            if !names.insert(name.clone()) {
                return Err(serde::de::Error::custom(format!("the name {name:?} comes twice in an object")));
            }
            headers.push(header(name.into(), value)?);
        }
        Ok(headers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut headers = Vec::new();
        while let Some((name, value)) = list.next_element::<(TextOrBytes, Option<HeaderValue>)>()? {
            headers.push(header(name.into(), value)?);
        }
        Ok(headers)
    }
}

fn header<E: serde::de::Error>(name: Bytes, value: Option<HeaderValue>) -> Result<Header, E> {
    let value = match value {
        Some(HeaderValue::Number(number)) => Some(known::bytes(&name, number).map_err(E::custom)?),
        Some(HeaderValue::Text(text)) => Some(text.into()),
        None => None,
    };
    Ok(Header { name, value })
}

/// The value of a header.
#[derive(Deserialize)]
#[serde(untagged, expecting = r#"it must be a string or {"base64": ".."}"#)]
enum HeaderValue {
    Number(i64),
    Text(TextOrBytes),
}

/// The name of a header, or a value that is no number.
#[derive(Deserialize)]
#[serde(untagged, expecting = r#"it must be a string or {"base64": ".."}"#)]
enum TextOrBytes {
    Text(String),
    Bytes(Base64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64 {
    #[serde(deserialize_with = "decode")]
    base64: Bytes,
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let encoded = String::deserialize(deserializer)?;
    key::base64(&encoded).map_err(serde::de::Error::custom)
}

impl From<TextOrBytes> for Bytes {
    fn from(text: TextOrBytes) -> Self {
        match text {
            TextOrBytes::Text(text) => text.into(),
            TextOrBytes::Bytes(Base64 { base64 }) => base64,
        }
    }
}

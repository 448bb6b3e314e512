//! `millrace dlq show`: all of a letter.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::{Result, bail};
use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::InputRecord;
use millrace_letters::{Format, Group, Letter, LetterId, Source};
use millrace_topics::Selection;
use serde::Serialize;
use serde_json::value::RawValue;

use super::reading::{Reader, codec_of, printable, shown_key, with};
use crate::args::Place;
use crate::lines::{self, Line};
use crate::say::{note, time_of};

/// Shows a letter.
pub(super) fn show(id: &LetterId, place: &Place, key: Option<KeyCodec>, json: bool) -> Result<()> {
    with(place, |reader| {
        let Some(record) = record_at(reader, &id.topic, id.partition, id.offset)? else {
            bail!(
                "there is no record at offset {} of partition {} of the topic `{}`: it may be past the topic's end, or retention \
                 has deleted it",
                id.offset,
                id.partition,
                id.topic
            );
        };
        let mut letter = Letter::read(id.clone(), record);
        let codec = codec_of(&letter, key, &reader.codecs()?);
        let original = if letter.is_pointer() { Some(fetch(reader, &mut letter)?) } else { None };
        if json {
            note(json_of(&letter, codec, original.as_deref())?);
            return Ok(());
        }
        print(&letter, codec, original.as_deref());
        Ok(())
    })
}

/// The record at an offset.
fn record_at(reader: &mut dyn Reader, topic: &str, partition: u32, offset: i64) -> Result<Option<InputRecord>> {
    let mut found = None;
    let selection = Selection { topic, partition: Some(partition), from: offset, limit: 1 };
    reader.read(&selection, &mut |_, record| {
        found = Some(record).filter(|record| record.offset == offset);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// Fetches the record that a letter points to. Says what became of it.
fn fetch(reader: &mut dyn Reader, letter: &mut Letter) -> Result<String> {
    let Some(Source { topic, partition: Some(partition), offset: Some(offset) }) = letter.source.clone() else {
        return Ok("the letter has no record, and doesn't say where it is".into());
    };
    let partition = u32::try_from(partition)?;
    Ok(match record_at(reader, &topic, partition, offset)? {
        Some(record) => {
            letter.timestamp = Some(record.timestamp);
            (letter.key, letter.value, letter.headers) = (record.key, record.value, record.headers);
            format!("the letter has no record; this one is from {topic}:{partition}:{offset}")
        }
        None => format!(
            "the letter has no record, and the one at {topic}:{partition}:{offset} is gone: retention has deleted it"
        ),
    })
}

/// A letter for programs. Its record is as `topic read` prints it, with the digits of its numbers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'l> {
    id: String,
    group: String,
    format: Format,
    step: &'l str,
    plugin: &'l str,
    digest: &'l str,
    class: &'l str,
    code: &'l str,
    text: &'l str,
    attempts: Option<u64>,
    failed_at: i64,
    source: Option<&'l Source>,
    omitted: BTreeMap<&'l str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'l str>,
    record: Box<RawValue>,
}

/// A letter as JSON.
pub(super) fn json_of(letter: &Letter, codec: Option<KeyCodec>, original: Option<&str>) -> Result<String> {
    Ok(serde_json::to_string(&Shown {
        id: letter.id.to_string(),
        group: Group::id_of(letter),
        format: letter.format,
        step: &letter.step,
        plugin: &letter.plugin,
        digest: &letter.digest,
        class: &letter.class,
        code: &letter.code,
        text: &letter.text,
        attempts: letter.attempts,
        failed_at: letter.failed_at,
        source: letter.source.as_ref(),
        omitted: letter.omitted.iter().map(|(part, bytes)| (part.as_str(), *bytes)).collect(),
        original,
        record: RawValue::from_string(line(letter, codec)?.trim_end().to_owned())?,
    })?)
}

/// The letter's record as a line.
fn line(letter: &Letter, codec: Option<KeyCodec>) -> Result<String> {
    let source = letter.source.clone().unwrap_or_default();
    let partition = source.partition.and_then(|partition| u32::try_from(partition).ok());
    let Letter { key, value, headers, timestamp, .. } = letter;
    let (key, value, headers, timestamp) = (key.clone(), value.clone(), headers.clone(), *timestamp);
    let line = Line { topic: source.topic.into(), partition, key, value, timestamp, headers, window: None };
    let mut out = Vec::new();
    lines::print(&mut out, &line.with_own_window(), codec)?;
    Ok(String::from_utf8(out)?)
}

fn print(letter: &Letter, codec: Option<KeyCodec>, original: Option<&str>) {
    let Letter { id, format, key, timestamp, failed_at, step, plugin, digest, class, code, text, attempts, .. } =
        letter;
    note(format_args!("letter {id}, of {}", format.name()));
    let line = |name: &str, value: &str| {
        if !value.is_empty() {
            note(format_args!("  {name:<9} {}", printable(value)));
        }
    };
    line("step", step);
    let short: String = digest.chars().take(12).collect();
    line("plugin", format!("{plugin} {short}").trim());
    line("code", &if class.is_empty() { code.clone() } else { format!("{code} ({class})") });
    line("text", text);
    line("failed", &time_of(*failed_at));
    line("attempts", &attempts.map(|attempts| attempts.to_string()).unwrap_or_default());
    if let Some(Source { topic, partition, offset }) = &letter.source {
        let number = |number: Option<i64>| number.map_or("?".into(), |number| number.to_string());
        line("from", &format!("{topic}:{}:{}", number(partition.map(i64::from)), number(*offset)));
    }
    line("group", &Group::id_of(letter));
    line("original", original.unwrap_or_default());
    for (part, bytes) in &letter.omitted {
        line("omitted", &format!("{part}, {bytes} bytes: the letter was too large for its topic"));
    }
    line("time", &timestamp.map(time_of).unwrap_or_default());
    line("key", &shown_key(key.as_deref(), codec));
    for header in letter.headers.as_slice() {
        let value = header.value.as_deref().map_or("null".into(), String::from_utf8_lossy);
        line("header", &format!("{}: {value}", String::from_utf8_lossy(&header.name)));
    }
    line("value", &value_of(letter.value.as_deref()));
}

/// A value for people: JSON over several lines, as its digits are, other text as it is, otherwise its size.
fn value_of(value: Option<&[u8]>) -> String {
    let Some(value) = value else { return "null".into() };
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(|it| it.is_control() && !it.is_whitespace()) => text.to_owned(),
        _ => format!("{} bytes that are no text", value.len()),
    }
}

//! `millrace dlq list` and `millrace dlq export`.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use anyhow::{Result, bail};
use millrace_letters::Letter;

use super::reading::{each, printable, shown_key};
use super::show::json_of;
use crate::args::Letters;
use crate::lines::{self, Line};
use crate::say::{say, time_of};

/// Most characters of a text in a line.
const TEXT_WIDTH: usize = 120;

/// Prints letters.
pub(super) fn list(letters: &Letters, limit: u64, json: bool) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut left = limit;
    each(letters, &mut |letter, codec| {
        if json {
            writeln!(out, "{}", json_of(&letter, codec, None)?)?;
        } else {
            let Letter { id, failed_at, step, code, text, key, .. } = &letter;
            let key = shown_key(key.as_deref(), codec);
            let text: String = printable(text).chars().take(TEXT_WIDTH).collect();
            let (step, code) = (printable(step), printable(code));
            writeln!(out, "{id}  {}  {step}  {code}  {key}  {text}", time_of(*failed_at))?;
        }
        left = left.saturating_sub(1);
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(out.flush()?)
}

/// Prints original records. Letters without theirs are named, and left out.
pub(super) fn export(letters: &Letters, limit: u64) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut left, mut lacking, mut text) = (limit, 0_u64, Vec::new());
    each(letters, &mut |letter, codec| {
        match original(letter) {
            Ok(line) => {
                text.clear();
                lines::print(&mut text, &line, codec)?;
                out.write_all(&text)?;
                left = left.saturating_sub(1);
            }
            Err(reason) => {
                lacking += 1;
                say(reason);
            }
        }
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    out.flush()?;
    if lacking > 0 {
        bail!("{lacking} of the letters have no record that can be exported");
    }
    Ok(())
}

/// The record that failed; otherwise the reason why the letter hasn't it.
fn original(letter: Letter) -> Result<Line<'static>, String> {
    let Letter { id, key, value, headers, timestamp, failed_at, source, omitted, .. } = &letter;
    if let Some((part, bytes)) = omitted.iter().find(|(part, _)| part != "headers") {
        return Err(format!(
            "letter {id} lacks the record's {part} of {bytes} bytes: it was too large for the dead-letter topic; read it in its \
             source"
        ));
    }
    if letter.is_pointer() {
        return Err(format!(
            "letter {id} has no record but its place only: `millrace dlq show {id}` reads it in its source"
        ));
    }
    let Some(source) = source else { return Err(format!("letter {id} doesn't say which topic its record is from")) };
    let line = Line {
        topic: Cow::Owned(source.topic.clone()),
        partition: source.partition.and_then(|partition| u32::try_from(partition).ok()),
        key: key.clone(),
        value: value.clone(),
        timestamp: Some(timestamp.unwrap_or(*failed_at)),
        headers: headers.clone(),
        window: None,
    };
    Ok(line.with_own_window())
}

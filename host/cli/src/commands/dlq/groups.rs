//! `millrace dlq groups`.

use std::ops::ControlFlow;

use anyhow::Result;
use millrace_letters::{Group, Groups};
use serde_json::json;

use super::reading::{each, printable};
use crate::args::Letters;
use crate::say::{note, time_of};

/// Prints the groups.
pub(super) fn groups(letters: &Letters, json: bool) -> Result<()> {
    let mut groups = Groups::default();
    each(letters, &mut |letter, _| {
        groups.add(&letter);
        Ok(ControlFlow::Continue(()))
    })?;
    for group in groups.all() {
        if json { note(json_of(group)) } else { print(group) }
    }
    if !json && groups.all().next().is_none() {
        note("no letters");
    }
    Ok(())
}

fn print(group: &Group) {
    let Group { id, step, class, code, pattern, letters, first, last, digests, samples } = group;
    let (step, code, pattern) = (printable(step), printable(code), printable(pattern));
    if id.is_empty() {
        note(format_args!("{letters} letters of further groups, which are too many to be told apart"));
        return;
    }
    let step = if step.is_empty() { "no step is named" } else { step.as_str() };
    let plural = if *letters == 1 { "" } else { "s" };
    note(format_args!("{letters} letter{plural} of group {id}: {step}, {code}{}", class_of(class)));
    if !pattern.is_empty() {
        note(format_args!("  text     {pattern}"));
    }
    note(format_args!("  failed   {} to {}", time_of(*first), time_of(*last)));
    if !digests.is_empty() {
        let short: Vec<_> = digests.iter().map(|digest| digest.chars().take(12).collect::<String>()).collect();
        note(format_args!("  digests  {}", short.join(", ")));
    }
    for (id, text) in samples {
        note(format_args!("  such as  {id}  {}", printable(text)));
    }
}

fn class_of(class: &str) -> String {
    if class.is_empty() { String::new() } else { format!(" ({class})") }
}

fn json_of(group: &Group) -> serde_json::Value {
    let Group { id, step, class, code, pattern, letters, first, last, digests, samples } = group;
    let samples: Vec<_> = samples.iter().map(|(id, text)| json!({"id": id.to_string(), "text": text})).collect();
    json!({
        "group": id, "step": step, "class": class, "code": code, "pattern": pattern, "letters": letters, "first": first,
        "last": last, "digests": digests, "samples": samples,
    })
}

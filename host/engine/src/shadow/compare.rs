//! Comparing what two versions of a function return for a record.

use std::fmt::Debug;

use super::ignore::Ignore;
use super::json;
use super::report::{Class, Difference, ShadowReport};
use super::sample::Sample;
use crate::manifest::FunctionManifest;
use crate::ports::{Due, Field, Grouped, Message, Outcome, Output, Pair, Stored};
use crate::record::{Header, Headers, Timestamp};
use crate::state::{ScopeWrite, TimerChanges};

/// Bytes of a text in a report.
const MOST_BYTES: usize = 1_000;

/// What outputs of a record inherit, and what describes it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parent<'a> {
    pub(super) input: &'a str,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) timestamp: Timestamp,
    pub(super) headers: &'a [Header],
}

impl<'a> Parent<'a> {
    pub(super) fn of(message: Message<'a>) -> Self {
        let Message { input, key, value, timestamp, headers, .. } = message;
        Self { input, key, value, timestamp, headers }
    }

    /// Shown by its left side, or by the right one where there is no other.
    pub(super) fn of_pair<'p>(pair: &'p Pair<'a>) -> Parent<'p> {
        let shown = pair.left.or(pair.right).map(Self::of).unwrap_or_default();
        Parent { key: pair.key, timestamp: pair.timestamp, ..shown }
    }

    pub(super) fn of_timer(due: &'a Due<'a>) -> Self {
        Self { input: due.name, key: due.key, timestamp: due.time, ..Self::default() }
    }
}

/// A record with its differences so far.
pub(super) struct Compared<'a> {
    function: &'a str,
    ignore: &'a [Ignore],
    /// Of the active version and of the shadow.
    manifests: [&'a FunctionManifest; 2],
    parent: Parent<'a>,
    differences: Vec<Difference>,
}

impl<'a> Compared<'a> {
    pub(super) fn new(
        (function, ignore): (&'a str, &'a [Ignore]),
        manifests: [&'a FunctionManifest; 2],
        parent: Parent<'a>,
    ) -> Self {
        Self { function, ignore, manifests, parent, differences: Vec::new() }
    }

    pub(super) fn add_to(self, report: &mut ShadowReport) {
        let Self { function, ignore, parent, differences, .. } = self;
        report.add((function, ignore), differences, || Sample {
            input: parent.input.to_owned(),
            key: parent.key.map(shown),
            value: parent.value.map(shown),
            timestamp: parent.timestamp,
            old: String::new(),
            new: String::new(),
        });
    }

    fn note(&mut self, class: Class, place: impl Into<String>, old: impl Into<String>, new: impl Into<String>) {
        self.differences.push(Difference { class, place: place.into(), old: old.into(), new: new.into() });
    }

    pub(super) fn outcomes(mut self, old: &Outcome, new: &Outcome) -> Self {
        match (old, new) {
            (Outcome::Outputs(old), Outcome::Outputs(new)) if old.len() == new.len() => {
                old.iter().zip(new).for_each(|(old, new)| self.output(old, new));
            }
            (Outcome::Outputs(old), Outcome::Outputs(new)) => {
                self.note(Class::Outputs, "", old.len().to_string(), new.len().to_string());
            }
            _ if said(old) == said(new) => {}
            _ => self.note(Class::Outcome, "", said(old), said(new)),
        }
        self
    }

    fn output(&mut self, old: &Output, new: &Output) {
        let port = |output: &Output, manifest: &FunctionManifest| {
            manifest.ports.get(output.port as usize).map(|port| port.name.clone()).unwrap_or_default()
        };
        let ports = (port(old, self.manifests[0]), port(new, self.manifests[1]));
        if ports.0 != ports.1 {
            self.note(Class::Port, "", ports.0, ports.1);
        }
        let Parent { key, value, timestamp, headers, .. } = self.parent;
        let (old_key, new_key) = (field(&old.key, key), field(&new.key, key));
        if old_key != new_key {
            self.note(Class::Key, "", shown_or_null(old_key), shown_or_null(new_key));
        }
        self.bytes(Class::Value, field(&old.value, value), field(&new.value, value));
        let times = (old.timestamp.unwrap_or(timestamp), new.timestamp.unwrap_or(timestamp));
        if times.0 != times.1 {
            self.note(Class::Timestamp, "", times.0.to_string(), times.1.to_string());
        }
        let lists = (
            old.headers.as_ref().map_or(headers, Headers::as_slice),
            new.headers.as_ref().map_or(headers, Headers::as_slice),
        );
        if lists.0 != lists.1 {
            self.headers(lists.0, lists.1);
        }
    }

    /// Headers are compared by their names, each with its values in order.
    fn headers(&mut self, old: &[Header], new: &[Header]) {
        let mut names: Vec<_> = old.iter().chain(new).map(|header| &header.name).collect();
        names.sort();
        names.dedup();
        let before = self.differences.len();
        for name in names {
            let values = |list: &[Header]| -> Vec<String> {
                let named = list.iter().filter(|header| header.name == *name);
                named.map(|header| shown_or_null(header.value.as_deref())).collect()
            };
            let (old, new) = (values(old), values(new));
            if old != new {
                self.note(Class::Headers, shown(name), old.join(", "), new.join(", "));
            }
        }
        if self.differences.len() == before {
            self.note(Class::Headers, "", "another order", "another order");
        }
    }

    /// Compares bytes by their JSON, where they are that.
    fn bytes(&mut self, class: Class, old: Option<&[u8]>, new: Option<&[u8]>) {
        if old == new {
            return;
        }
        let found = old.zip(new).and_then(|(old, new)| json::differences(old, new));
        match found {
            Some(found) if !found.is_empty() => {
                found.into_iter().for_each(|(path, old, new)| self.note(class, path, cut(&old), cut(&new)));
            }
            // Other bytes of the same JSON, or no JSON.
            _ => self.note(class, "", shown_or_null(old), shown_or_null(new)),
        }
    }

    fn stored(&mut self, old: Option<&Stored>, new: Option<&Stored>) {
        let version =
            |stored: Option<&Stored>| stored.map_or("(nothing)".into(), |stored| format!("version {}", stored.version));
        if old.map(|stored| stored.version) != new.map(|stored| stored.version) {
            return self.note(Class::State, "", version(old), version(new));
        }
        let bytes = |stored: Option<&'_ Stored>| stored.map(|stored| stored.bytes.clone());
        let (old, new) = (bytes(old), bytes(new));
        self.bytes(Class::State, old.as_deref(), new.as_deref());
    }

    /// Compares what two versions return for an entry of a group; for the last one also the state.
    pub(super) fn grouped(
        mut self,
        (entry, is_last): (usize, bool),
        old: &Result<Grouped, Outcome>,
        new: &Result<Grouped, Outcome>,
    ) -> Self {
        let none = Outcome::Outputs(Vec::new());
        let outcome = |result: &Result<Grouped, Outcome>| match result {
            Ok(grouped) => grouped.outcomes.get(entry).cloned().unwrap_or_else(|| none.clone()),
            Err(failed) => failed.clone(),
        };
        self = self.outcomes(&outcome(old), &outcome(new));
        if let (true, Ok(old), Ok(new)) = (is_last, old, new) {
            self.stored(old.state.as_ref(), new.state.as_ref());
            self.bytes(Class::Value, old.value.as_deref(), new.value.as_deref());
            if old.deleted_after != new.deleted_after {
                self.note(Class::State, "", list(&old.deleted_after), list(&new.deleted_after));
            }
        }
        self
    }

    /// Compares what two versions have written to their stores.
    pub(super) fn writes(mut self, old: &[ScopeWrite], new: &[ScopeWrite]) -> Self {
        let mut places: Vec<_> = old.iter().chain(new).map(|write| (write.store, &write.key)).collect();
        places.sort();
        places.dedup();
        for (store, key) in places {
            let find = |writes: &'_ [ScopeWrite]| {
                let found = writes.iter().find(|write| (write.store, &write.key) == (store, key));
                found.and_then(|write| write.value.clone())
            };
            let (old, new) = (find(old), find(new));
            self.stored(old.as_ref(), new.as_ref());
        }
        self
    }
}

impl Compared<'_> {
    /// Compares the timers that two versions have set or cancelled.
    pub(super) fn timers(mut self, old: &TimerChanges, new: &TimerChanges) -> Self {
        let said = |change: Option<&Option<Timestamp>>| match change {
            None => "(nothing)".to_owned(),
            Some(None) => "cancelled".to_owned(),
            Some(Some(time)) => format!("set for {time}"),
        };
        for timer in old.keys().chain(new.keys().filter(|timer| !old.contains_key(*timer))) {
            let (before, after) = (old.get(timer), new.get(timer));
            if before != after {
                self.note(Class::Timers, timer.1.as_str(), said(before), said(after));
            }
        }
        self
    }
}

fn field<'f>(field: &'f Field, inherited: Option<&'f [u8]>) -> Option<&'f [u8]> {
    match field {
        Field::Inherit => inherited,
        Field::Null => None,
        Field::Bytes(bytes) => Some(bytes),
    }
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Outputs(outputs) => format!("{} outputs", outputs.len()),
        Outcome::Skip(code) => format!("skip `{code}`"),
        Outcome::Fail(failure) => format!("fail `{}`", failure.code),
    }
}

fn list(numbers: &[impl Debug]) -> String {
    format!("deleted after {numbers:?}")
}

fn shown(bytes: &[u8]) -> String {
    cut(&String::from_utf8_lossy(bytes))
}

fn shown_or_null(bytes: Option<&[u8]>) -> String {
    bytes.map_or("null".to_owned(), shown)
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_BYTES) {
        Some((end, _)) => format!("{}..", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

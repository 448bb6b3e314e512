//! Reads the keys of one table: each getter takes a known key, and `finish` reports all others.

use std::time::Duration;

use super::diagnostic::{Place, Placed, Problems};
use super::scalars::{DURATION_HELP, SIZE_HELP, did_you_mean, duration, listed, name_error, size, topic_error};
use super::tree::{Entry, Item, Value};

/// The keys of a table that weren't taken yet.
pub(super) struct Fields<'p> {
    /// The table, for messages: ``[[source]] `payments` ``.
    pub title: String,
    /// Its header.
    pub at: Place,
    left: Vec<Entry>,
    given: Vec<String>,
    known: Vec<&'static str>,
    pub problems: &'p mut Problems,
}

impl<'p> Fields<'p> {
    pub fn new(title: impl Into<String>, at: Place, entries: Vec<Entry>, problems: &'p mut Problems) -> Self {
        let given = entries.iter().map(|entry| entry.name.clone()).collect();
        Self { title: title.into(), at, left: entries, given, known: Vec::new(), problems }
    }

    /// The fields of an item, which must be a table.
    pub fn of_item(title: impl Into<String>, item: Item, help: &str, problems: &'p mut Problems) -> Option<Self> {
        let title = title.into();
        match item.value {
            Value::Table(entries) => Some(Self::new(title, item.at, entries, problems)),
            other => {
                problems.add(item.at, format!("{title} must be a table, not {}", other.type_name()), help);
                None
            }
        }
    }

    /// Takes a key with its value, if the table has it and it could be read.
    pub fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        let index = self.left.iter().position(|entry| entry.name == key)?;
        Some(self.left.remove(index)).filter(|entry| !matches!(entry.item.value, Value::Broken))
    }

    /// Takes a key that belongs somewhere else.
    pub fn misplaced(&mut self, key: &str) -> Option<Entry> {
        let index = self.left.iter().position(|entry| entry.name == key)?;
        Some(self.left.remove(index))
    }

    /// Whether there is a key that wasn't taken yet.
    pub fn has_unknown(&self) -> bool {
        !self.left.is_empty()
    }

    /// Reports a value that doesn't fit its key.
    pub fn wrong(&mut self, at: Place, key: &str, why: impl std::fmt::Display, help: impl Into<String>) {
        self.problems.add(at, format!("{key} of {}: {why}", self.title), help);
    }

    fn wrong_type(&mut self, key: &str, wanted: &str, item: &Item, help: impl Into<String>) {
        let message = format!("{key} of {} must be {wanted}, not {}", self.title, item.value.type_name());
        self.problems.add(item.at, message, help);
    }

    /// Whether the file has this key, right or wrong.
    pub fn given(&self, key: &str) -> bool {
        self.given.iter().any(|given| given == key)
    }

    /// Reports a missing key. A key with a wrong value was reported already.
    pub fn missing(&mut self, key: &str, help: impl Into<String>) {
        if !self.given(key) {
            self.problems.add(self.at, format!("{} has no `{key}`", self.title), help);
        }
    }

    /// The value of a required key; reports a missing one.
    pub fn required<T>(&mut self, key: &str, value: Option<T>, help: &str) -> Option<T> {
        if value.is_none() {
            self.missing(key, help);
        }
        value
    }

    pub fn text(&mut self, key: &'static str) -> Option<Placed<String>> {
        self.text_with_help(key, || format!("write {key} = \"...\""))
    }

    fn text_with_help(&mut self, key: &'static str, help: impl FnOnce() -> String) -> Option<Placed<String>> {
        let item = self.take(key)?.item;
        match item.value {
            Value::Text(value) => Some(Placed { at: item.at, value }),
            _ => {
                self.wrong_type(key, "a string", &item, help());
                None
            }
        }
    }

    /// Parses a text with `read`; reports its error with `help`.
    fn read<T>(
        &mut self,
        key: &'static str,
        text: Placed<String>,
        help: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        match read(&text) {
            Ok(value) => Some(Placed { at: text.at, value }),
            Err(why) => {
                self.wrong(text.at, key, why, help);
                None
            }
        }
    }

    pub fn duration(&mut self, key: &'static str) -> Option<Placed<Duration>> {
        let text = self.text_with_help(key, || DURATION_HELP.to_owned())?;
        self.read(key, text, DURATION_HELP, duration)
    }

    /// A duration that isn't zero.
    pub fn some_time(&mut self, key: &'static str) -> Option<Placed<Duration>> {
        let time = self.duration(key)?;
        if time.value.is_zero() {
            self.wrong(time.at, key, "it can't be zero", DURATION_HELP);
            return None;
        }
        Some(time)
    }

    pub fn name(&mut self, key: &'static str) -> Option<Placed<String>> {
        let help = "names are made of the letters a to z, digits, `-` and `_`";
        let text = self.text(key)?;
        self.read(key, text, help, |text| name_error(text).map_or_else(|| Ok(text.to_owned()), Err))
    }

    pub fn topic(&mut self, key: &'static str) -> Option<Placed<String>> {
        let help = "Kafka takes the letters a to z, digits, `.`, `-` and `_`";
        let text = self.text(key)?;
        self.read(key, text, help, |text| topic_error(text).map_or_else(|| Ok(text.to_owned()), Err))
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<Placed<T>> {
        let words = || choices.iter().map(|(word, _)| *word);
        let help = || format!("it can be {}", listed(words(), "or"));
        let text = self.text_with_help(key, help)?;
        match choices.iter().find(|(word, _)| *word == *text) {
            Some((_, value)) => Some(Placed { at: text.at, value: *value }),
            None => {
                let why = format!("`{}` is not known{}", *text, did_you_mean(&text, words()));
                self.wrong(text.at, key, why, help());
                None
            }
        }
    }

    /// An integer in a range.
    pub fn integer(&mut self, key: &'static str, least: i64, most: i64) -> Option<Placed<i64>> {
        let item = self.take(key)?.item;
        let help = format!("it can be from {least} to {most}");
        match item.value {
            Value::Integer(value) if (least..=most).contains(&value) => Some(Placed { at: item.at, value }),
            Value::Integer(value) => {
                let why = format!("{value} is out of range");
                self.wrong(item.at, key, why, help);
                None
            }
            _ => {
                self.wrong_type(key, "an integer", &item, help);
                None
            }
        }
    }

    /// An integer or float in a range.
    pub fn number(&mut self, key: &'static str, least: f64, most: f64) -> Option<Placed<f64>> {
        let item = self.take(key)?.item;
        let help = format!("it can be from {least} to {most}");
        let value = match item.value {
            Value::Integer(value) => value as f64,
            Value::Float(value) => value,
            _ => {
                self.wrong_type(key, "a number", &item, help);
                return None;
            }
        };
        if value >= least && value <= most {
            return Some(Placed { at: item.at, value });
        }
        self.wrong(item.at, key, format!("{value} is out of range"), help);
        None
    }

    /// A positive number of bytes, plain or with a unit.
    pub fn size(&mut self, key: &'static str) -> Option<Placed<usize>> {
        let item = self.take(key)?.item;
        let read = match &item.value {
            Value::Integer(bytes) => usize::try_from(*bytes).map_err(|_| format!("{bytes} is not a size")),
            Value::Text(text) => size(text),
            _ => {
                self.wrong_type(key, "an integer or a string", &item, SIZE_HELP);
                return None;
            }
        };
        match read.and_then(|bytes| if bytes == 0 { Err("it can't be zero".to_owned()) } else { Ok(bytes) }) {
            Ok(value) => Some(Placed { at: item.at, value }),
            Err(why) => {
                self.wrong(item.at, key, why, SIZE_HELP);
                None
            }
        }
    }

    /// A non-empty list of strings; with `or_one`, also a single string.
    pub fn texts(&mut self, key: &'static str, or_one: bool) -> Option<Vec<Placed<String>>> {
        let item = self.take(key)?.item;
        let wanted = if or_one { "a string or a list of strings" } else { "a list of strings" };
        let one = if or_one { format!("{key} = \"...\", or ") } else { String::new() };
        let help = format!("write {one}{key} = [\"...\", \"...\"]");
        let items = match item.value {
            Value::Text(value) if or_one => return Some(vec![Placed { at: item.at, value }]),
            Value::List(items) => items,
            _ => {
                self.wrong_type(key, wanted, &item, help);
                return None;
            }
        };
        if items.is_empty() {
            self.problems.add(item.at, format!("{key} of {} is empty", self.title), help);
            return None;
        }
        let mut texts = Vec::new();
        for item in items {
            match item.value {
                Value::Text(value) => texts.push(Placed { at: item.at, value }),
                _ => self.wrong_type(key, wanted, &item, help.as_str()),
            }
        }
        Some(texts)
    }

    /// A table within the table; `help` says what to do about something else in its place.
    pub fn table(&mut self, key: &'static str, help: &str) -> Option<Fields<'_>> {
        let item = self.take(key)?.item;
        Fields::of_item(format!("{key} of {}", self.title), item, help, self.problems)
    }

    /// Reports every key that wasn't taken.
    pub fn finish(self) {
        for entry in &self.left {
            let guess = did_you_mean(&entry.name, self.known.iter().copied());
            let message = format!("unknown key `{}` in {}{guess}", entry.name, self.title);
            self.problems.add(entry.at, message, format!("it can have {}", listed(self.known.iter().copied(), "and")));
        }
    }
}

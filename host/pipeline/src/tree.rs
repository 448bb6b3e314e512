//! TOML text as a tree: values with their places, entries in the order of the file.

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Place, Problems};
use super::nesting::too_deep;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub at: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A date or time, as it is written: only a plugin's config can have one.
    Time(String),
    List(Vec<Item>),
    Table(Vec<Entry>),
    /// A value that couldn't be read, and is reported.
    Broken,
}

/// A key of a table with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: String,
    pub at: Place,
    pub item: Item,
}

impl Value {
    /// The type with its article, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a boolean",
            Self::Time(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Broken => "broken",
        }
    }

    /// The value as JSON; `None` for floats that JSON doesn't have.
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Text(text) | Self::Time(text) => Json::from(text.as_str()),
            Self::Integer(number) => Json::from(*number),
            Self::Float(number) => Json::Number(serde_json::Number::from_f64(*number)?),
            Self::Bool(truth) => Json::from(*truth),
            Self::List(items) => Json::Array(items.iter().map(|item| item.value.to_json()).collect::<Option<_>>()?),
            Self::Table(entries) => {
                let pairs = entries.iter().map(|entry| Some((entry.name.clone(), entry.item.value.to_json()?)));
                Json::Object(pairs.collect::<Option<_>>()?)
            }
            Self::Broken => Json::Null,
        })
    }

    /// Equality of values, whatever their places.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.to_json().is_some_and(|json| Some(json) == other.to_json())
    }
}

/// The tables of a file; `None`, with a problem, if it isn't TOML.
pub(super) fn read_file(file: usize, text: &str, problems: &mut Problems) -> Option<Vec<Entry>> {
    let reader = TreeReader { file, whole: None };
    if let Some(deep) = too_deep(text) {
        problems.add_plain(reader.visible(text, deep.start, deep.end), "tables and lists are nested too deeply");
        return None;
    }
    let start = text.len() - text.trim_start().len();
    if text.trim_start().starts_with('{') {
        let message = "this is JSON, and a pipeline file is TOML";
        let help = "name the pipeline file here; records are read with `--in FILE`";
        problems.add(reader.visible(text, start, start), message, help);
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        problems.add_plain(reader.visible(text, span.start, span.end), format!("not TOML: {}", error.message()));
    }
    errors.is_empty().then(|| reader.table(document.into_inner(), problems))
}

/// The value of an override: TOML, or else a plain string.
pub(super) fn read_override(at: Place, text: &str, problems: &mut Problems) -> Item {
    let parsed = if too_deep(text).is_some() { None } else { DeValue::parse(text).ok() };
    match parsed {
        Some(value) => TreeReader { file: at.file, whole: Some(at) }.item(value, problems),
        None => Item { at, value: Value::Text(text.to_owned()) },
    }
}

struct TreeReader {
    file: usize,
    /// The place of all values, if they are from an override.
    whole: Option<Place>,
}

impl TreeReader {
    /// The place of an error: at least one character of the text where there is one, since an empty span at the end
    /// of a file can't be shown.
    fn visible(&self, text: &str, start: usize, end: usize) -> Place {
        if end > start {
            return Place { file: self.file, start, end };
        }
        let after = text.get(start..).and_then(|rest| rest.chars().next());
        let before = text.get(..start).and_then(|head| head.chars().next_back());
        match (after, before) {
            (Some(next), _) => Place { file: self.file, start, end: start + next.len_utf8() },
            (None, Some(last)) => Place { file: self.file, start: start - last.len_utf8(), end: start },
            (None, None) => Place { file: self.file, start: 0, end: 0 },
        }
    }

    fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        let span = spanned.span();
        self.whole.unwrap_or(Place { file: self.file, start: span.start, end: span.end })
    }

    fn table(&self, table: DeTable<'_>, problems: &mut Problems) -> Vec<Entry> {
        let entries = table.into_iter().map(|(key, value)| {
            let at = self.place(&key);
            Entry { name: key.into_inner().into_owned(), at, item: self.item(value, problems) }
        });
        let mut entries: Vec<_> = entries.collect();
        // The parser sorts keys by name.
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    fn item(&self, value: Spanned<DeValue<'_>>, problems: &mut Problems) -> Item {
        let at = self.place(&value);
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => self.integer(at, number.as_str(), number.radix(), problems),
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(truth) => Value::Bool(truth),
            DeValue::Datetime(time) => Value::Time(time.to_string()),
            DeValue::Array(array) => Value::List(array.into_iter().map(|item| self.item(item, problems)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table, problems)),
        };
        Item { at, value }
    }

    fn integer(&self, at: Place, digits: &str, radix: u32, problems: &mut Problems) -> Value {
        i64::from_str_radix(digits, radix).map(Value::Integer).unwrap_or_else(|_| {
            // The digits aren't shown: they may be a password.
            problems.add_plain(at, "this number is too big: integers have 64 bits");
            Value::Broken
        })
    }
}

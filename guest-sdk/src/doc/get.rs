//! Reading fields.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Doc, text};
use crate::error::{Error, Result};

impl Doc {
    /// Whether there is a field of this name, null or not.
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// Whether there is a field of this name, and it is null.
    pub fn is_null(&self, name: &str) -> bool {
        self.raw(name) == Some(b"null")
    }

    /// The value of a field as it is written.
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.field(name).map(|field| self.value(field))
    }

    /// A string.
    ///
    /// # Errors
    /// `bad-value` if the field is missing or of another type.
    pub fn str(&self, name: &str) -> Result<Cow<'_, str>> {
        self.typed(name, "a string", |value| self.string(name, value).transpose())
    }

    /// A string, or `None` if the field is missing or null.
    ///
    /// # Errors
    /// `bad-value` if the field is of another type.
    pub fn opt_str(&self, name: &str) -> Result<Option<Cow<'_, str>>> {
        self.present(name).then(|| self.str(name)).transpose()
    }

    /// An integer, written as one: `7`, but not `7.0`.
    ///
    /// # Errors
    /// As [`str`](Doc::str).
    pub fn i64(&self, name: &str) -> Result<i64> {
        self.typed(name, "a 64-bit integer", |value| number(value)?.parse().ok().map(Ok))
    }

    /// An integer, or `None` if the field is missing or null.
    ///
    /// # Errors
    /// As [`opt_str`](Doc::opt_str).
    pub fn opt_i64(&self, name: &str) -> Result<Option<i64>> {
        self.present(name).then(|| self.i64(name)).transpose()
    }

    /// A number; a number that is too large to be finite is an error.
    ///
    /// # Errors
    /// As [`str`](Doc::str).
    pub fn f64(&self, name: &str) -> Result<f64> {
        self.typed(name, "a number", |value| {
            number(value)?.parse().ok().filter(|number: &f64| number.is_finite()).map(Ok)
        })
    }

    /// A number, or `None` if the field is missing or null.
    ///
    /// # Errors
    /// As [`opt_str`](Doc::opt_str).
    pub fn opt_f64(&self, name: &str) -> Result<Option<f64>> {
        self.present(name).then(|| self.f64(name)).transpose()
    }

    /// True or false.
    ///
    /// # Errors
    /// As [`str`](Doc::str).
    pub fn bool(&self, name: &str) -> Result<bool> {
        self.typed(name, "true or false", |value| match value {
            b"true" => Some(Ok(true)),
            b"false" => Some(Ok(false)),
            _ => None,
        })
    }

    /// True or false, or `None` if the field is missing or null.
    ///
    /// # Errors
    /// As [`opt_str`](Doc::opt_str).
    pub fn opt_bool(&self, name: &str) -> Result<Option<bool>> {
        self.present(name).then(|| self.bool(name)).transpose()
    }

    /// An object inside this one: a copy that you can change and set again.
    ///
    /// # Errors
    /// As [`str`](Doc::str).
    pub fn doc(&self, name: &str) -> Result<Doc> {
        self.typed(name, "an object", |value| {
            value.starts_with(b"{").then(|| {
                let mut doc = Doc::parse(value).map_err(|error| self.wrong(name, error.text()))?;
                doc.label = self.label;
                Ok(doc)
            })
        })
    }

    /// A field of any type that serde can read: arrays, structs, enums.
    ///
    /// # Errors
    /// `bad-value` if the field is missing, or serde can't read it.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<T> {
        let value = self.raw(name).ok_or_else(|| self.missing(name))?;
        serde_json::from_slice(value).map_err(|error| self.wrong(name, &error.to_string()))
    }

    /// A field of any type that serde can read, or `None` if it is missing or null.
    ///
    /// # Errors
    /// `bad-value` if serde can't read it.
    pub fn opt<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>> {
        self.present(name).then(|| self.get(name)).transpose()
    }

    fn present(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| value != b"null")
    }

    /// Reads a field; `read` returns `None` if the value isn't of the type.
    fn typed<'a, T>(&'a self, name: &str, wanted: &str, read: impl FnOnce(&'a [u8]) -> Option<Result<T>>) -> Result<T> {
        let value = self.raw(name).ok_or_else(|| self.missing(name))?;
        read(value).unwrap_or_else(|| Err(self.wrong(name, &format!("expected {wanted}, found {}", shown(value)))))
    }

    fn string<'a>(&self, name: &str, value: &'a [u8]) -> Result<Option<Cow<'a, str>>> {
        let Some(inner) = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")) else {
            return Ok(None);
        };
        text::unescape(inner).map(Some).map_err(|reason| self.wrong(name, reason))
    }

    #[cold]
    fn missing(&self, name: &str) -> Error {
        Error::bad_value(format!("{}: missing field `{name}`", self.label))
    }

    #[cold]
    fn wrong(&self, name: &str, reason: &str) -> Error {
        Error::bad_value(format!("{}: field `{name}`: {reason}", self.label))
    }

    /// A failure about a field, for conditions that a type can't express: "left value (payment): field `amount`: must
    /// be over 0".
    #[cold]
    pub fn invalid(&self, name: &str, reason: &str) -> Error {
        self.wrong(name, reason)
    }
}

/// The text of a number; JSON's syntax was checked before.
fn number(value: &[u8]) -> Option<&str> {
    matches!(value.first(), Some(b'-' | b'0'..=b'9')).then(|| std::str::from_utf8(value).ok()).flatten()
}

/// A description of a value for a person, without the text of a string, which may be confidential.
fn shown(value: &[u8]) -> Cow<'_, str> {
    match value.first() {
        Some(b'"') => "a string".into(),
        Some(b'{') => "an object".into(),
        Some(b'[') => "an array".into(),
        _ => String::from_utf8_lossy(value.get(..40).unwrap_or(value)),
    }
}

//! Typed values: how a rule's arguments are read, and its results written.

use std::ops::Range;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::doc::{self, Doc};
use crate::error::{Error, Result, codes};

/// The value of a record, before it has a type.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub(crate) arena: &'a Rc<Vec<u8>>,
    /// Its place in the arena; `None` is null.
    pub(crate) range: Option<(u32, u32)>,
    pub(crate) label: &'static str,
}

impl<'a> Value<'a> {
    /// The name of the value in error texts: "left value (payment)".
    pub fn label(self) -> &'static str {
        self.label
    }

    /// Whether the value is Kafka's null.
    pub fn is_null(self) -> bool {
        self.range.is_none()
    }

    /// Its bytes.
    ///
    /// # Errors
    /// `null-value` if the value is null.
    pub fn bytes(self) -> Result<&'a [u8]> {
        let range = self.range()?;
        Ok(self.arena.get(range).unwrap_or_default())
    }

    /// Its bytes as text.
    ///
    /// # Errors
    /// `null-value` if the value is null, `bad-value` if it isn't UTF-8.
    pub fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|error| Error::bad_value(error.to_string()).about(self.label))
    }

    #[doc(hidden)]
    pub fn owned_bytes(self) -> Result<Vec<u8>> {
        self.bytes().map(<[u8]>::to_vec)
    }

    #[doc(hidden)]
    pub fn owned_text(self) -> Result<String> {
        self.text().map(str::to_owned)
    }

    /// The result of `read`, or `None` if the value is null.
    #[doc(hidden)]
    pub fn option<T>(self, read: impl FnOnce(Self) -> Result<T>) -> Result<Option<T>> {
        if self.is_null() { Ok(None) } else { read(self).map(Some) }
    }

    fn range(self) -> Result<Range<usize>> {
        let (start, end) = self
            .range
            .ok_or_else(|| Error::permanent(codes::NULL_VALUE, format!("{}: null, expected a value", self.label)))?;
        Ok(start as usize..end as usize)
    }
}

/// A type of argument for values: a [`Doc`], a type that serde reads from JSON, or a type of your own that isn't JSON.
/// A rule can also take `String` or `&str` (the value as text), and `Vec<u8>` or `&[u8]` (its bytes).
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from the value of a record",
    label = "not a type of value",
    note = "take a `Doc`, a type that derives `serde::Deserialize`, `String` or `&str` (text), `Vec<u8>` or `&[u8]` (bytes), or an `Option` of one of these"
)]
pub trait FromValue<'a>: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// `null-value` if the value is null, `bad-value` if it isn't of the type.
    fn from_value(value: Value<'a>) -> Result<Self>;
}

impl<'a, T: Deserialize<'a>> FromValue<'a> for T {
    fn from_value(value: Value<'a>) -> Result<Self> {
        let bytes = value.bytes()?;
        serde_json::from_slice(bytes).map_err(|error| {
            let encoded_twice = doc::is_encoded_twice(bytes);
            let text = if encoded_twice { doc::ENCODED_TWICE.to_owned() } else { error.to_string() };
            Error::bad_value(text).about(value.label)
        })
    }
}

impl<'a> FromValue<'a> for Doc {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self> {
        Doc::within(value.arena, value.range()?, value.label)
    }
}

/// The kind of a written value: bytes or null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Its bytes were appended.
    Bytes,
    /// The value is Kafka's null: a tombstone for readers of the topic as a table.
    Null,
}

/// A type of output values: a [`Doc`], a type that serde writes as JSON, or a type of your own that isn't JSON. If
/// serde writes a bare `null`, the value is Kafka's null.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be put out as the value of a record",
    label = "not a type of value",
    note = "return a `Doc`, a type that derives `serde::Serialize`, `String` (text), `Vec<u8>` (bytes), `Outputs`, `Unchanged`, or an `Option` or `Result` of one of these"
)]
pub trait IntoValue {
    /// Appends its bytes.
    ///
    /// # Errors
    /// `bad-value` if the value can't be written.
    fn into_value(self, out: &mut Vec<u8>) -> Result<Written>;
}

impl<T: Serialize> IntoValue for T {
    fn into_value(self, out: &mut Vec<u8>) -> Result<Written> {
        let start = out.len();
        serde_json::to_writer(&mut *out, &self)?;
        if out.get(start..) == Some(b"null") {
            out.truncate(start);
            return Ok(Written::Null);
        }
        Ok(Written::Bytes)
    }
}

impl IntoValue for Doc {
    #[inline]
    fn into_value(self, out: &mut Vec<u8>) -> Result<Written> {
        self.write(out);
        Ok(Written::Bytes)
    }
}

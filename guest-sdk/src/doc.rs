//! [`Doc`]: a JSON object that keeps unknown fields.

mod edit;
mod get;
mod scan;
mod text;

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use smallvec::SmallVec;

pub use edit::ToJson;

use crate::error::{Error, Result};

/// Fields of a document; those of most documents fit on the stack.
type Fields = SmallVec<[Field; 12]>;

/// A JSON object that keeps unknown fields byte for byte.
///
/// It is for rules that read a few fields, change some, and pass on the rest. The whole text is checked once (syntax,
/// UTF-8, at most 128 levels), and then read in place. The written text differs from the read text only in the changes:
/// the order of fields, numbers such as `1.10` or `1e400`, escapes, and white space inside the object stay. White space
/// around the object is dropped, and so is that beside a removed field.
///
/// Several fields of one name are kept; reading takes the last one, [`set`](Doc::set) leaves one,
/// [`remove`](Doc::remove) removes all.
///
/// ```
/// use millrace_sdk::prelude::*;
///
/// let mut order = Doc::parse(r#"{"id": 7, "price": 1.10, "status": "NEW"}"#)?;
/// if order.f64("price")? > 1.0 {
///     order.set("status", "ACCEPT");
///     order.set("checked", true);
/// }
/// assert_eq!(order.to_string(), r#"{"id": 7, "price": 1.10, "status": "ACCEPT","checked":true}"#);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Doc {
    /// The arena of the text, shared with the other values of the same call.
    arena: Rc<Vec<u8>>,
    /// The place of the text in the arena, without the white space around it.
    start: u32,
    end: u32,
    /// Fields in their order. A removed one stays as a gap, so that adjacent fields are known.
    fields: Fields,
    /// Names and values that were set.
    fresh: SmallVec<[u8; 64]>,
    /// The name of the document in error texts: "left value (payment)".
    label: &'static str,
}

/// A field: its name without quotes and its value. A new one has both in `fresh`.
#[derive(Clone, Copy)]
struct Field {
    key: Span,
    value: Span,
    /// The value in `fresh`, if the field was set.
    fresh: Span,
    flags: u8,
}

/// Offsets in the text of the document, or in `fresh`.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    const EMPTY: Self = Self { start: 0, end: 0 };

    fn new(range: Range<usize>) -> Self {
        // Texts are parts of an arena that the contract addresses by u32.
        Self { start: range.start as u32, end: range.end as u32 }
    }

    fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl Field {
    /// The name has escapes.
    const ESCAPED: u8 = 1;
    /// The name is in `fresh`.
    const NEW: u8 = 2;
    /// The value is in `fresh`.
    const CHANGED: u8 = 4;
    /// The field is no longer there.
    const REMOVED: u8 = 8;

    fn found(key: Range<usize>, escaped: bool, value: Range<usize>) -> Self {
        let flags = if escaped { Self::ESCAPED } else { 0 };
        Self { key: Span::new(key), value: Span::new(value), fresh: Span::EMPTY, flags }
    }

    fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

impl Doc {
    /// Reads the text of a JSON object.
    ///
    /// # Errors
    /// `bad-value` if the text isn't one, with line and column of the first wrong byte.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self> {
        let arena = Rc::new(text.as_ref().to_vec());
        let whole = 0..arena.len();
        Self::within(&arena, whole, "value")
    }

    /// An object without fields.
    pub fn new() -> Self {
        let arena = Rc::new(b"{}".to_vec());
        Self { arena, start: 0, end: 2, fields: Fields::new(), fresh: SmallVec::new(), label: "value" }
    }

    /// Reads the object at `range` of the arena. `label` names it in error texts.
    #[inline]
    pub(crate) fn within(arena: &Rc<Vec<u8>>, range: Range<usize>, label: &'static str) -> Result<Self> {
        let around = arena.get(range.clone()).unwrap_or_default();
        let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        let before = around.iter().take_while(|byte| space(byte)).count();
        let after = around.iter().skip(before).rev().take_while(|byte| space(byte)).count();
        let text = around.get(before..around.len() - after).unwrap_or_default();
        let (start, end) = ((range.start + before) as u32, (range.end - after) as u32);
        let (arena, fields, fresh) = (Rc::clone(arena), Fields::new(), SmallVec::new());
        // Filled in place: a document has some hundred bytes, and each move would copy them.
        let mut doc = Self { arena, start, end, fields, fresh, label };
        scan::object(text, &mut doc.fields).map_err(|fault| malformed(around, before, fault, label))?;
        Ok(doc)
    }

    fn text(&self) -> &[u8] {
        self.arena.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The last field of this name.
    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().rev().find(|field| self.is_named(field, name))
    }

    fn is_named(&self, field: &Field, name: &str) -> bool {
        let key = self.key(field);
        if field.is(Field::ESCAPED | Field::REMOVED) {
            return !field.is(Field::REMOVED) && text::unescape(key).is_ok_and(|key| key == name);
        }
        key == name.as_bytes()
    }

    /// The name of a field as it is written, without quotes.
    fn key(&self, field: &Field) -> &[u8] {
        field.key.of(if field.is(Field::NEW) { &self.fresh } else { self.text() })
    }

    /// The value of a field as it is written.
    fn value(&self, field: &Field) -> &[u8] {
        if field.is(Field::CHANGED) { field.fresh.of(&self.fresh) } else { field.value.of(self.text()) }
    }

    /// Names and values as they are written, in order, several fields of one name included. Escapes in names stay.
    pub fn raw_fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().filter(|field| !field.is(Field::REMOVED)).map(|field| (self.key(field), self.value(field)))
    }
}

#[cold]
fn malformed(text: &[u8], before: usize, fault: scan::Fault, label: &str) -> Error {
    let at = before + fault.at;
    let read = text.get(..at).unwrap_or_default();
    let line = 1 + read.iter().filter(|byte| **byte == b'\n').count();
    let column = 1 + read.iter().rev().take_while(|byte| **byte != b'\n').count();
    let text = match text {
        [] => format!("{label}: empty, expected a JSON object"),
        _ if is_encoded_twice(text) => format!("{label}: {ENCODED_TWICE}"),
        _ => format!("{label}: {} at line {line} column {column}", fault.what),
    };
    Error::bad_value(text)
}

/// The reason of the error about a value that [is encoded twice](is_encoded_twice).
pub(crate) const ENCODED_TWICE: &str =
    "a string that holds a JSON object, and not the object itself: whatever wrote it encoded it as JSON twice";

/// Whether a text is a JSON string whose characters are a JSON object.
#[cold]
pub(crate) fn is_encoded_twice(text: &[u8]) -> bool {
    let inside = text.trim_ascii().strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    let inside = inside.and_then(|text| text::unescape(text).ok());
    inside.is_some_and(|text| scan::object(text.trim_ascii().as_bytes(), &mut Fields::new()).is_ok())
}

impl Default for Doc {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_vec()))
    }
}

impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Documents are equal if their texts are.
impl PartialEq for Doc {
    fn eq(&self, other: &Self) -> bool {
        self.to_vec() == other.to_vec()
    }
}

#[cfg(test)]
mod tests;

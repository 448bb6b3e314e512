//! Changes fields, and writes the changed document.

use serde::Serialize;

use super::{Doc, Field, Span, text};
use crate::error::Result;

/// A type that can always be written as a JSON value.
pub trait ToJson {
    /// Hands the JSON text of the value to `put`, in any number of pieces.
    fn to_json(&self, put: &mut dyn FnMut(&[u8]));
}

impl ToJson for str {
    fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
        put(b"\"");
        text::escape(self, &mut *put);
        put(b"\"");
    }
}

impl ToJson for String {
    fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
        self.as_str().to_json(put);
    }
}

impl ToJson for bool {
    fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
        put(if *self { b"true" } else { b"false" });
    }
}

/// A number that isn't finite is written as null: JSON has no such numbers.
impl ToJson for f64 {
    fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
        // The fewest digits that give the same number when read, as in serde_json.
        match serde_json::Number::from_f64(*self) {
            Some(number) => put(number.to_string().as_bytes()),
            None => put(b"null"),
        }
    }
}

impl ToJson for Doc {
    fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
        self.pieces(put);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
        match self {
            Some(value) => value.to_json(put),
            None => put(b"null"),
        }
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
        (**self).to_json(put);
    }
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl ToJson for $type {
            fn to_json(&self, put: &mut dyn FnMut(&[u8])) {
                put(self.to_string().as_bytes());
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 u8 u16 u32 u64 usize);

impl Doc {
    /// Sets a field in its place, or adds it behind the others if there is none of this name.
    pub fn set(&mut self, name: &str, value: impl ToJson) {
        let start = self.fresh.len();
        let fresh = &mut self.fresh;
        value.to_json(&mut |piece| fresh.extend_from_slice(piece));
        self.put(name, start);
    }

    /// Sets a field to null.
    pub fn set_null(&mut self, name: &str) {
        self.set(name, None::<bool>);
    }

    /// Sets a field to a value that serde can write.
    ///
    /// # Errors
    /// `bad-value` if the value can't be JSON, such as a map whose keys aren't strings.
    pub fn set_json(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let text = serde_json::to_vec(value)?;
        let start = self.fresh.len();
        self.fresh.extend_from_slice(&text);
        self.put(name, start);
        Ok(())
    }

    /// Removes all fields of this name. True if there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let mut any = false;
        while let Some(index) = self.fields.iter().rposition(|field| self.is_named(field, name)) {
            self.flag(index, Field::REMOVED);
            any = true;
        }
        any
    }

    /// Sets the value of `name` to the text in `fresh` from `start` on.
    fn put(&mut self, name: &str, start: usize) {
        let value = Span::new(start..self.fresh.len());
        let Some(last) = self.fields.iter().rposition(|field| self.is_named(field, name)) else {
            return self.append(name, value);
        };
        for index in 0..last {
            if self.fields.get(index).is_some_and(|field| self.is_named(field, name)) {
                self.flag(index, Field::REMOVED);
            }
        }
        self.flag(last, Field::CHANGED);
        if let Some(field) = self.fields.get_mut(last) {
            field.fresh = value;
        }
    }

    fn append(&mut self, name: &str, value: Span) {
        let start = self.fresh.len();
        let fresh = &mut self.fresh;
        let escaped = text::escape(name, |piece| fresh.extend_from_slice(piece));
        let flags = Field::NEW | Field::CHANGED | if escaped { Field::ESCAPED } else { 0 };
        self.fields.push(Field { key: Span::new(start..self.fresh.len()), value: Span::EMPTY, fresh: value, flags });
    }

    fn flag(&mut self, index: usize, flag: u8) {
        if let Some(field) = self.fields.get_mut(index) {
            field.flags |= flag;
        }
    }

    /// The text of the document.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.text().len() + self.fresh.len() + 8);
        self.write(&mut text);
        text
    }

    /// Appends the text of the document.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.pieces(|piece| out.extend_from_slice(piece));
    }

    /// Hands over the text in as few pieces as the changes allow: adjacent unchanged text is one piece.
    fn pieces(&self, put: impl FnMut(&[u8])) {
        let text = self.text();
        let mut pieces = Pieces { text, run: Span { start: 0, end: 0 }, put };
        // The end of the written text, while nothing was removed or inserted after it.
        let mut written = Some(0);
        let mut opened = false;
        for field in &self.fields {
            if field.is(Field::REMOVED) {
                written = None;
                continue;
            }
            match written {
                Some(end) if !field.is(Field::NEW) => pieces.keep(end, field.key.start.saturating_sub(1)),
                _ => pieces.put(if opened { b"," } else { b"{" }),
            }
            self.field_pieces(field, &mut pieces);
            written = (!field.is(Field::NEW)).then_some(field.value.end);
            opened = true;
        }
        match written {
            Some(end) => pieces.keep(end, text.len() as u32),
            None => pieces.put(if opened { b"}" } else { b"{}" }),
        }
        pieces.flush();
    }

    fn field_pieces(&self, field: &Field, pieces: &mut Pieces<'_, impl FnMut(&[u8])>) {
        if field.is(Field::NEW) {
            pieces.put(b"\"");
            pieces.put(self.key(field));
            pieces.put(b"\":");
        } else {
            pieces.keep(field.key.start.saturating_sub(1), field.value.start);
        }
        if field.is(Field::CHANGED) {
            pieces.put(self.value(field));
        } else {
            pieces.keep(field.value.start, field.value.end);
        }
    }
}

/// Joins pieces that are adjacent in the text.
struct Pieces<'a, P> {
    text: &'a [u8],
    /// The piece to write next.
    run: Span,
    put: P,
}

impl<P: FnMut(&[u8])> Pieces<'_, P> {
    fn keep(&mut self, start: u32, end: u32) {
        if start != self.run.end {
            self.flush();
            self.run.start = start;
        }
        self.run.end = end;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.flush();
        (self.put)(bytes);
    }

    fn flush(&mut self) {
        if self.run.start != self.run.end {
            (self.put)(self.run.of(self.text));
        }
        self.run.start = self.run.end;
    }
}

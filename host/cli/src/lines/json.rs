//! JSON as text: it is never parsed into values, so that numbers and the order of fields stay unchanged.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// Removes the white space around the tokens of a JSON text.
pub(super) fn compact(text: &str) -> Cow<'_, str> {
    if !has_space_between_tokens(text) {
        return Cow::Borrowed(text);
    }
    let mut scan = StringScan::default();
    Cow::Owned(text.chars().filter(|&c| scan.inside(c) || !is_space(c)).collect())
}

/// The text of a value that is JSON; `None` if it isn't.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok().map(|_| text)
}

fn has_space_between_tokens(text: &str) -> bool {
    let mut scan = StringScan::default();
    text.chars().any(|c| !scan.inside(c) && is_space(c))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The place of a character in a JSON text: in a string or not.
#[derive(Default)]
enum StringScan {
    #[default]
    Outside,
    Inside,
    Escaped,
}

impl StringScan {
    /// Consumes a character, and returns whether it belongs to a string.
    fn inside(&mut self, c: char) -> bool {
        let was_outside = matches!(self, Self::Outside);
        *self = match (&self, c) {
            (Self::Outside, '"') | (Self::Escaped, _) => Self::Inside,
            (Self::Inside, '\\') => Self::Escaped,
            (Self::Inside, '"') => Self::Outside,
            (Self::Outside, _) => Self::Outside,
            (Self::Inside, _) => Self::Inside,
        };
        !was_outside
    }
}

//! JSON as text: never a tree of values, so that numbers and the order of fields stay as they are.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The text of a JSON value without the white space around its tokens. The text must be JSON.
pub(super) fn compact(text: &str) -> Cow<'_, str> {
    if !has_space_between_tokens(text) {
        return Cow::Borrowed(text);
    }
    let mut scan = Strings::default();
    Cow::Owned(text.chars().filter(|&c| scan.inside(c) || !is_space(c)).collect())
}

/// The text of a value that is JSON; `None` for any other bytes.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok().map(|_| text)
}

fn has_space_between_tokens(text: &str) -> bool {
    let mut scan = Strings::default();
    text.chars().any(|c| !scan.inside(c) && is_space(c))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Where in a JSON text a character is.
#[derive(Default)]
enum Strings {
    #[default]
    Outside,
    Inside,
    Escaped,
}

impl Strings {
    /// Moves over a character, and says whether it belongs to a string.
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

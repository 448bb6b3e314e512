//! Why a record isn't processed.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::missing;

/// What a rule returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The codes that the SDK itself reports. Every function has them in its manifest beside those it declares.
pub mod codes {
    /// A value, or a part of it, isn't what the rule needs.
    pub const BAD_VALUE: &str = "bad-value";
    /// A value is null where the rule needs one.
    pub const NULL_VALUE: &str = "null-value";
    /// A key doesn't have the type that the rule names.
    pub const BAD_KEY: &str = "bad-key";
    /// A key is null where the rule needs one.
    pub const NULL_KEY: &str = "null-key";
    /// A state can't be read or written.
    pub const BAD_STATE: &str = "bad-state";
    /// The rule did what its declaration doesn't say: a code or a changed key that isn't declared.
    pub const UNDECLARED: &str = "undeclared";
    /// All of them.
    pub(crate) const ALL: [&str; 6] = [BAD_VALUE, NULL_VALUE, BAD_KEY, NULL_KEY, BAD_STATE, UNDECLARED];
}

/// Why a record isn't processed: it failed for good, it failed for now, or it is left out on purpose.
///
/// `?` makes a permanent failure with the code `bad-value` of any standard error. To say more, map it:
///
/// ```
/// use millrace_sdk::prelude::*;
///
/// fn quantity(text: &str) -> Result<u32> {
///     text.parse().map_err(|error| Error::permanent("bad-quantity", format!("quantity `{text}`: {error}")))
/// }
/// assert_eq!(quantity("x").unwrap_err().code(), "bad-quantity");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: Kind,
    code: Cow<'static, str>,
    text: String,
}

/// What becomes of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes to the dead-letter queue.
    Permanent,
    /// It is tried again, as the step's `retry` says.
    Transient,
    /// It is left out, and counted.
    Skip,
}

impl Error {
    /// The record can't be processed: it goes to the dead-letter queue.
    pub fn permanent(code: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self::new(Kind::Permanent, code.into(), text.into())
    }

    /// The record can't be processed now, but perhaps later: the step's `retry` decides.
    pub fn transient(code: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self::new(Kind::Transient, code.into(), text.into())
    }

    /// The record is left out on purpose, and counted under the code.
    pub fn skip(code: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Skip, code.into(), String::new())
    }

    /// A value that isn't what the rule needs: permanent, with the code `bad-value`.
    pub fn bad_value(text: impl Into<String>) -> Self {
        Self::permanent(codes::BAD_VALUE, text)
    }

    #[cold]
    fn new(kind: Kind, code: Cow<'static, str>, text: String) -> Self {
        Self(Box::new(Inner { kind, code, text }))
    }

    /// What becomes of the record.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The code: the label of a metric.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// For a person; empty for a skip.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The same with `subject: ` before the text, so that a reader sees what it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Display) -> Self {
        self.0.text = format!("{subject}: {}", self.0.text);
        self
    }
}

/// Any standard error is a permanent failure with the code `bad-value`. For this [`Error`] isn't a standard error
/// itself.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::bad_value(missing::explained(error.to_string()))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind(), self.code(), self.text())
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text().is_empty() { f.write_str(self.code()) } else { f.write_str(self.text()) }
    }
}

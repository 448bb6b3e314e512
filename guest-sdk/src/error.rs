//! Why a record isn't processed.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::missing;

/// The result of a rule.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The codes that the SDK itself reports. Every function has them in its manifest beside those it declares.
pub mod codes {
    /// A value, or a part of it, isn't of the form that the rule needs.
    pub const BAD_VALUE: &str = "bad-value";
    /// A value is null where the rule needs one.
    pub const NULL_VALUE: &str = "null-value";
    /// A key doesn't have the type that the rule names.
    pub const BAD_KEY: &str = "bad-key";
    /// A key is null where the rule needs one.
    pub const NULL_KEY: &str = "null-key";
    /// A state can't be read or written.
    pub const BAD_STATE: &str = "bad-state";
    /// The rule used a code or changed a key without declaring it.
    pub const UNDECLARED: &str = "undeclared";
    /// All of them.
    pub(crate) const ALL: [&str; 6] = [BAD_VALUE, NULL_VALUE, BAD_KEY, NULL_KEY, BAD_STATE, UNDECLARED];
}

/// Why a record isn't processed: it failed for good, it failed for now, or the rule skips it on purpose.
///
/// `?` turns any standard error into a permanent failure with the code `bad-value`. For another code or text, map it:
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

/// The fate of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is a dead letter.
    Permanent,
    /// It is tried again, as the step's `retry` says.
    Transient,
    /// It is skipped, and counted.
    Skip,
}

impl Error {
    /// The record can't be processed: it is a dead letter.
    pub fn permanent(code: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self::new(Kind::Permanent, code.into(), text.into())
    }

    /// The record can't be processed now, but perhaps later: the step's `retry` decides.
    pub fn transient(code: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self::new(Kind::Transient, code.into(), text.into())
    }

    /// The rule skips the record on purpose. The host counts it under the code.
    pub fn skip(code: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Skip, code.into(), String::new())
    }

    /// A value isn't of the form that the rule needs: permanent, with the code `bad-value`.
    pub fn bad_value(text: impl Into<String>) -> Self {
        Self::permanent(codes::BAD_VALUE, text)
    }

    #[cold]
    fn new(kind: Kind, code: Cow<'static, str>, text: String) -> Self {
        Self(Box::new(Inner { kind, code, text }))
    }

    /// The fate of the record.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The code: the label of a metric.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The reason, for a person; empty for a skip.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The same error with `subject: ` before the text.
    #[must_use]
    pub fn about(mut self, subject: impl Display) -> Self {
        self.0.text = format!("{subject}: {}", self.0.text);
        self
    }
}

/// Any standard error is a permanent failure with the code `bad-value`. This needs an [`Error`] that isn't a standard
/// error itself.
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

//! Secret text.

use std::fmt;

/// Text that may be a password: messages, logs and drawings show [`HIDDEN`] instead.
///
/// ```
/// use millrace_engine::secret::Secret;
///
/// let secret = Secret::from("opensesame");
/// assert_eq!(format!("{secret} {secret:?}"), "*** ***");
/// assert_eq!(secret.expose(), "opensesame");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

/// Shown instead of a secret.
pub const HIDDEN: &str = "***";

impl Secret {
    /// The secret text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HIDDEN)
    }
}

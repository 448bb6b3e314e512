//! The settings of a pipeline that aren't in its files.

use std::fmt;

use millrace_engine::secret::Secret;

/// Overrides of the command line, and environment variables.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// Overrides in their order: of two for one setting, the later one counts.
    pub overrides: &'a [Override],
    /// The value of an environment variable. An error says why it has none, such as "isn't set".
    pub variable: &'a dyn Fn(&str) -> Result<String, String>,
}

/// A setting of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The option that sets it, as messages name it, such as `--set commit-interval`.
    pub option: String,
    /// Which setting, such as `commit-interval` or `kafka.sasl.password`.
    pub key: String,
    /// Its value: TOML or plain text; under `kafka.` text, byte for byte.
    pub value: Secret,
}

impl Default for Given<'_> {
    /// No overrides, and no variables.
    fn default() -> Self {
        Self { overrides: &[], variable: &|_| Err("isn't set".to_owned()) }
    }
}

impl fmt::Debug for Given<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Given").field("overrides", &self.overrides).finish_non_exhaustive()
    }
}

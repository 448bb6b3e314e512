//! Findings of the oracles.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Findings, by oracle.
#[derive(Default)]
pub struct Findings(Mutex<Vec<(String, String)>>);

impl Findings {
    /// Adds a finding.
    pub fn add(&self, oracle: &str, text: impl Into<String>) {
        let text = text.into();
        println!("FOUND ({oracle}): {text}");
        self.0.lock().unwrap().push((oracle.to_owned(), text));
    }

    /// Runs an oracle; a panic is a finding, too.
    pub fn look(&self, oracle: &str, look: impl FnOnce() -> Vec<String>) {
        match attempt(look) {
            Ok(found) => found.into_iter().for_each(|text| self.add(oracle, text)),
            Err(text) => self.add(oracle, text),
        }
    }

    /// All findings.
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().clone()
    }
}

/// The result of a function, or the text of its panic.
pub fn attempt<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

//! What was found wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// What was found wrong, by oracle.
#[derive(Default)]
pub struct Findings(Mutex<Vec<(String, String)>>);

impl Findings {
    /// Something is wrong.
    pub fn add(&self, oracle: &str, text: impl Into<String>) {
        let text = text.into();
        println!("FOUND ({oracle}): {text}");
        self.0.lock().unwrap().push((oracle.to_owned(), text));
    }

    /// Lets an oracle look; one that panics has found something.
    pub fn look(&self, oracle: &str, look: impl FnOnce() -> Vec<String>) {
        match attempt(look) {
            Ok(found) => found.into_iter().for_each(|text| self.add(oracle, text)),
            Err(text) => self.add(oracle, text),
        }
    }

    /// All of it.
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().clone()
    }
}

/// What something gives; if it panics, the text of that.
pub fn attempt<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

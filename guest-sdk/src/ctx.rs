//! The context of a record, beside key and value.

use std::any::Any;
use std::rc::Rc;

use crate::bindings::base::millrace::plugin::types::{Header, Message, Span, Window as RawWindow};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::host;
pub use crate::host::Level;

/// One call of the host: the arena of its records, and the plugin's config.
pub(crate) struct Call {
    pub(crate) arena: Rc<Vec<u8>>,
    pub(crate) headers: Vec<Header>,
    pub(crate) config: Option<Rc<dyn Any>>,
}

impl Call {
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        let (start, end) = ends(span);
        self.arena.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// The bounds of a span.
pub(crate) fn ends(span: Span) -> (u32, u32) {
    (span.start, span.start.saturating_add(span.length))
}

/// A window of event time, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// First instant.
    pub start: i64,
    /// End: exclusive for tumbling and hopping windows, inclusive for sliding and session windows.
    pub end: i64,
}

impl From<RawWindow> for Window {
    fn from(window: RawWindow) -> Self {
        Self { start: window.start, end: window.end }
    }
}

/// The context of a record, beside key and value. A rule takes it as an argument, `ctx: Ctx` or `ctx: &Ctx`.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    pub(crate) call: &'a Call,
    /// The record; of a join the left one.
    pub(crate) message: Option<&'a Message>,
    /// The right record of a join.
    pub(crate) right: Option<&'a Message>,
    pub(crate) timestamp: i64,
    pub(crate) window: Option<Window>,
    /// Logs and counts nothing: the record is applied again.
    pub(crate) quiet: bool,
}

impl<'a> Ctx<'a> {
    /// Name of the step or source that the record came from; in a join, that of the left record.
    pub fn input(&self) -> &'a str {
        self.message.map(|message| Side { call: self.call, message }.input()).unwrap_or_default()
    }

    /// Event time of the record, in milliseconds since the epoch; in a join, that of the result.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The window of the record or group, if there is one.
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// The window of the group, for a rule that can't do without one.
    ///
    /// # Errors
    /// `bad-value` if the step has no window.
    pub fn in_window(&self) -> Result<Window> {
        self.window
            .ok_or_else(|| Error::bad_value("the step that calls this rule has no `window`, and the rule needs one"))
    }

    /// Headers of the record; in a join, those of the left record. Empty unless the function is declared with
    /// `headers`.
    pub fn headers(&self) -> Headers<'a> {
        let headers = self.message.map(|message| Side { call: self.call, message }.headers());
        headers.unwrap_or(Headers { call: self.call, run: &[] })
    }

    /// The left side of a join, if it has a record; without a join, the record itself.
    pub fn left(&self) -> Option<Side<'a>> {
        self.message.map(|message| Side { call: self.call, message })
    }

    /// The right side of a join, if it has a record.
    pub fn right(&self) -> Option<Side<'a>> {
        self.right.map(|message| Side { call: self.call, message })
    }

    /// The plugin's config: the type that `plugin!` names.
    ///
    /// # Panics
    /// If `plugin!` names another type, or none.
    #[allow(clippy::expect_used, reason = "a mistake in the plugin's text that its first test shows")]
    pub fn config<C: Config>(&self) -> &'a C {
        let config = self.call.config.as_deref().and_then(|config| config.downcast_ref());
        config.expect("the config is the type that `plugin! { config: .. }` names")
    }

    /// Writes a line to the host's log.
    pub fn log(&self, level: Level, text: impl AsRef<str>) {
        if !self.quiet {
            host::log(level, text.as_ref());
        }
    }

    /// Adds to one of the plugin's counters, once the record is committed.
    pub fn count(&self, name: &str, n: u64) {
        if !self.quiet {
            host::count(name, n);
        }
    }
}

/// One record of a join.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    call: &'a Call,
    message: &'a Message,
}

impl<'a> Side<'a> {
    /// Name of the step or source that it came from.
    pub fn input(&self) -> &'a str {
        std::str::from_utf8(self.call.bytes(self.message.input)).unwrap_or_default()
    }

    /// Its event time, in milliseconds since the epoch.
    pub fn timestamp(&self) -> i64 {
        self.message.timestamp
    }

    /// Its headers. Empty unless the function is declared with `headers`.
    pub fn headers(&self) -> Headers<'a> {
        let first = self.message.headers.first as usize;
        let end = first.saturating_add(self.message.headers.count as usize);
        Headers { call: self.call, run: self.call.headers.get(first..end).unwrap_or_default() }
    }
}

/// Headers of a record, in their order.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    call: &'a Call,
    run: &'a [Header],
}

impl<'a> Headers<'a> {
    /// The value of the last header of this name, if it isn't null: what Kafka's `lastHeader` gives.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let header = self.run.iter().rev().find(|header| self.call.bytes(header.name) == name.as_bytes())?;
        header.value.map(|value| self.call.bytes(value))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let call = self.call;
        self.run.iter().map(move |header| (call.bytes(header.name), header.value.map(|value| call.bytes(value))))
    }
}

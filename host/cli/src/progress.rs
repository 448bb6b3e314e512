//! A progress bar, on a terminal only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over records.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for about this many records. It is shown only on a terminal, and only if there are many records.
    pub fn new(what: &'static str, records: u64) -> Self {
        let shown = std::io::stderr().is_terminal() && records > 100_000;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(records), target).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Advances by `done` records; `left` more are to come.
    pub fn advance(&self, done: u64, left: u64) {
        self.0.inc(done);
        self.0.set_length(self.0.position() + left);
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

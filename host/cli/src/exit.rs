//! Exit codes, by what a supervisor can do about the failure.

use std::io;

use crate::diagnostics::Wrong;

/// The pipeline, a plugin, the input, a topic or the data folder is wrong: another start would fail, too.
const WRONG: u8 = 1;

/// The command line or an environment variable is wrong; clap uses the same code.
pub const USAGE: u8 = 2;

/// What a command has waited for is still under way.
const UNDER_WAY: u8 = 3;

/// What a command has waited for was aborted.
const ABORTED: u8 = 4;

/// Another start may succeed: `EX_TEMPFAIL` of `sysexits.h`.
const PASSING: u8 = 75;

/// The exit code for an error; 0 if the output just isn't read any more.
pub fn code_of(error: &anyhow::Error) -> u8 {
    match error.chain().find_map(judge) {
        Some(Verdict::Unread) => 0,
        Some(Verdict::Passing) => PASSING,
        Some(Verdict::UnderWay) => UNDER_WAY,
        Some(Verdict::Aborted) => ABORTED,
        Some(Verdict::Wrong) | None => WRONG,
    }
}

/// The text to print for an error. Mistakes in pipelines are formatted already.
pub fn text_of(error: &anyhow::Error) -> String {
    if error.is::<Wrong>() { error.to_string() } else { format!("error: {error:#}") }
}

/// The end of a wait for something that goes on without the command.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// It is still under way.
    #[error("{0}")]
    UnderWay(String),
    /// It was aborted.
    #[error("{0}")]
    Aborted(String),
}

enum Verdict {
    UnderWay,
    Aborted,
    Unread,
    Passing,
    Wrong,
}

impl From<bool> for Verdict {
    fn from(passing: bool) -> Self {
        if passing { Self::Passing } else { Self::Wrong }
    }
}

/// The verdict of one error in the chain; `None` if its type has none. The first verdict counts: it is the most
/// specific.
fn judge(cause: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
    let kafka = cause.downcast_ref().map(millrace_kafka::Error::is_passing);
    let embedded = || cause.downcast_ref().map(millrace_embedded::Error::is_passing);
    let store = || cause.downcast_ref().map(millrace_store::Error::is_passing);
    let io = || cause.downcast_ref().and_then(of_io);
    if let Some(wait) = cause.downcast_ref() {
        return Some(match wait {
            WaitError::UnderWay(_) => Verdict::UnderWay,
            WaitError::Aborted(_) => Verdict::Aborted,
        });
    }
    kafka.or_else(embedded).or_else(store).map(Verdict::from).or_else(io)
}

/// A missing or forbidden file is a mistake; a full disk may have room again.
fn of_io(error: &io::Error) -> Option<Verdict> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Some(Verdict::Unread),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Verdict::Passing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_exit_code_says_whether_another_start_may_succeed() {
        let full = || millrace_store::Error::Full { path: "data".into() };
        let damaged = || millrace_store::Error::Corrupt { path: "data".into(), reason: "checksum".into() };
        let io = |kind| anyhow::Error::from(io::Error::from(kind)).context("out.jsonl: can't be written");
        for (error, code) in [
            (anyhow!("there is no topic `orders`"), 1),
            (Wrong("a.toml:1:1: not TOML".into()).into(), 1),
            (full().into(), 75),
            (damaged().into(), 1),
            (millrace_kafka::Error::from(full()).into(), 75),
            (millrace_kafka::Error::from(damaged()).into(), 1),
            (millrace_kafka::Error::Unreachable("no broker answers at one:9092".into()).into(), 75),
            (millrace_kafka::Error::Setup("no".into()).into(), 1),
            (millrace_embedded::Error::from(full()).into(), 75),
            (WaitError::UnderWay("not yet".into()).into(), 3),
            (WaitError::Aborted("no".into()).into(), 4),
            (io(io::ErrorKind::BrokenPipe), 0),
            (io(io::ErrorKind::StorageFull), 75),
            (io(io::ErrorKind::NotFound), 1),
        ] {
            assert_eq!(code_of(&error), code, "{error:#}");
        }
    }
}

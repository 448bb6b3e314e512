//! Places at which tests kill the process. In builds without debug assertions, such as releases, there is nothing here:
//! `tests/layering` checks that what is built as in a release has none.
//!
//! `MILLRACE_FAULT=offsets-sent:3` aborts the process the third time that offsets have been sent.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// All records of a transaction are delivered.
    Produced,
    /// Its offsets are sent.
    OffsetsSent,
    /// Its end is acknowledged, and local state not yet written.
    Acknowledged,
    /// Local state is written.
    Stored,
    /// A part of a changelog is restored.
    Restoring,
    /// New versions of plugins are loaded, and not yet given to the workers.
    PluginsLoaded,
    /// A worker has seen that other versions of plugins are active.
    SwapBegun,
    /// It has committed the work of the versions before.
    SwapCommitted,
    /// Its tasks run the new versions.
    Swapped,
    /// Orphaned topics are deleted, and not yet forgotten.
    TopicsDeleted,
}

#[cfg(debug_assertions)]
impl Point {
    fn name(self) -> &'static str {
        match self {
            Self::Produced => "produced",
            Self::OffsetsSent => "offsets-sent",
            Self::Acknowledged => "acknowledged",
            Self::Stored => "stored",
            Self::Restoring => "restoring",
            Self::PluginsLoaded => "plugins-loaded",
            Self::SwapBegun => "swap-begun",
            Self::SwapCommitted => "swap-committed",
            Self::Swapped => "swapped",
            Self::TopicsDeleted => "topics-deleted",
        }
    }
}

/// Dies here, if a test has asked for it.
#[cfg(debug_assertions)]
pub(crate) fn hit(point: Point) {
    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("MILLRACE_FAULT").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), count.parse().ok()?))
    });
    if let Some((name, count)) = wanted
        && name == point.name()
        && HITS.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        std::process::abort();
    }
}

/// Nothing: this build has no faults.
#[cfg(not(debug_assertions))]
pub(crate) fn hit(_: Point) {}

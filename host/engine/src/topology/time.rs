//! What steps are told about time, and about what belongs together: windows, joins, event time, duplicates.

/// Which records a join puts out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinKind {
    /// Those with both sides.
    #[default]
    Inner,
    /// All of the left side.
    Left,
    /// All of both sides.
    Outer,
}

/// What to do with a timestamp that is further ahead of the driver's clock than a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// How far ahead a timestamp may be, in milliseconds.
    pub limit: i64,
    /// What becomes of a record that is further ahead.
    pub then: OnAhead,
}

/// A record is too far ahead: what then?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAhead {
    /// Its timestamp is set to the driver's clock when it arrived.
    Clamp,
    /// It goes to the dead-letter queue.
    DeadLetter,
}

/// Windows of an aggregate; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Which windows a record falls into.
    pub kind: WindowKind,
    /// How long after its end a window still takes late records.
    pub grace: i64,
    /// How long a window's state counts, from its start on, as in Kafka Streams: a final result that comes later is lost.
    /// None: until the result has come out. Of no effect on sessions.
    pub retention: Option<i64>,
}

/// Which windows a record falls into; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Windows `[start, start + size)` that begin at each multiple of `every` since the epoch; tumbling where both are
    /// equal.
    Hopping {
        /// Length.
        size: i64,
        /// Distance between the starts of two windows; at most `size`.
        every: i64,
    },
    /// Windows `[end - difference, end]`, one for each set of records that are no further apart.
    Sliding {
        /// Length.
        difference: i64,
    },
    /// Windows `[first, last]` of records that follow one another within a gap.
    Session {
        /// Longest pause within a session.
        gap: i64,
    },
}

impl Windows {
    /// How long a state is kept after the time that it is kept under: a window's start, a session's end. As in Kafka
    /// Streams, where nothing else is said.
    pub fn kept(&self) -> i64 {
        let length = match self.kind {
            WindowKind::Hopping { size, .. } => size,
            WindowKind::Sliding { difference } => difference.saturating_mul(2),
            WindowKind::Session { gap } => gap,
        };
        length.saturating_add(self.grace).max(self.retention.unwrap_or(0))
    }
}

/// When an aggregate puts out results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// After each record.
    #[default]
    Each,
    /// At each commit, the last result of each key and window that has changed since the one before.
    Commit,
    /// Once for each window, when no more records can come into it.
    Final,
}

/// By what a duplicate is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The value of the last header of this name.
    Header(String),
    /// This field of the JSON value.
    Field(String),
}

/// Where event time comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EventTime {
    /// The record's timestamp.
    #[default]
    Record,
    /// This field of the JSON value.
    Field(String),
}

/// Stream-stream join settings; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindow {
    /// How much earlier than the left record the right one may be.
    pub before: i64,
    /// How much later than the left record the right one may be.
    pub after: i64,
    /// How long after the window a late record is still stored.
    pub grace: i64,
}

impl JoinWindow {
    /// How long each side's records are kept: `before + after + grace`.
    pub fn retention(&self) -> i64 {
        self.before.saturating_add(self.after).saturating_add(self.grace)
    }
}

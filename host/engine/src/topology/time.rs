//! Settings of steps about time and identity: windows, joins, event time, duplicates.

/// Which records a join emits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinKind {
    /// Records with a match.
    #[default]
    Inner,
    /// All records of the left side.
    Left,
    /// All records of both sides.
    Outer,
}

/// What happens to records whose timestamps are too far ahead of the driver's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// How far ahead a timestamp may be, in milliseconds.
    pub limit: i64,
    /// What happens to a record that is further ahead.
    pub then: OnAhead,
}

/// What happens to a record that is too far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAhead {
    /// Its timestamp becomes the time of its arrival, by the driver's clock.
    Clamp,
    /// It is written to the dead-letter topic.
    DeadLetter,
}

/// Windows of an aggregate; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Which windows a record belongs to.
    pub kind: WindowKind,
    /// How long after its end a window still accepts records.
    pub grace: i64,
    /// How long a window's state lives after its start, as in Kafka Streams: a final result that is due later is lost.
    /// `None`: until the final result is emitted. The state of a session lives this long after its end, and its final
    /// result is never lost.
    pub retention: Option<i64>,
}

/// Which windows a record belongs to; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Windows `[start, start + size)` that begin at each multiple of `every` since the epoch; tumbling windows if both
    /// are equal.
    Hopping {
        /// Length.
        size: i64,
        /// Distance between the starts of two windows; at most `size`.
        every: i64,
    },
    /// Windows `[end - difference, end]`, one for each set of records at most `difference` apart.
    Sliding {
        /// Length.
        difference: i64,
    },
    /// Windows `[first, last]` of records with pauses of at most `gap`.
    Session {
        /// Longest pause within a session.
        gap: i64,
    },
}

impl Windows {
    /// How long a state is kept after its key's time, which is the window's start or the session's end. As in Kafka
    /// Streams, unless a retention is set.
    pub fn kept(&self) -> i64 {
        let length = match self.kind {
            WindowKind::Hopping { size, .. } => size,
            WindowKind::Sliding { difference } => difference.saturating_mul(2),
            WindowKind::Session { gap } => gap,
        };
        length.saturating_add(self.grace).max(self.retention.unwrap_or(0))
    }
}

/// When an aggregate emits results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// After each record.
    #[default]
    Each,
    /// At each commit, the last result of each key and window that has changed since the last commit.
    Commit,
    /// Once per window, when the window closes.
    Final,
}

/// What identifies a record for deduplication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The value of the last header of this name.
    Header(String),
    /// This field of the JSON value.
    Field(String),
}

/// Source of a record's event time.
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
    /// How much earlier than the left record the right record may be.
    pub before: i64,
    /// How much later than the left record the right record may be.
    pub after: i64,
    /// How long after its window a late record is still stored.
    pub grace: i64,
}

impl JoinWindow {
    /// How long each side's records are kept: `before + after + grace`.
    pub fn retention(&self) -> i64 {
        self.before.saturating_add(self.after).saturating_add(self.grace)
    }
}

//! Topics of the pipeline, and how they are compared.

use crate::options::{Kind, Options};

/// Name of the app, and the beginning of all its topics' names.
pub const APP: &str = "soak";

/// Input topics.
pub const INPUTS: [&str; 7] = ["payments", "stock", "readings", "clicks-a", "clicks-b", "events", "names"];

/// Partitions of those at the start. Those that are merged have unlike numbers, unless that is left out.
pub fn partitions_at_start(topic: &str, options: &Options) -> i32 {
    match topic {
        "payments" | "stock" => 4,
        "clicks-b" if options.has(Kind::Merge) => 5,
        "events" => 2,
        _ => 3,
    }
}

/// Dead letters.
pub const DEAD: &str = "dead";

/// Most bytes of a record in the topic `checked`.
pub const LARGEST_CHECKED: usize = 100_000;

/// What must be equal in the output of a run and of `replay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// The records of each key in their order: they come from one partition.
    Order,
    /// The records of each key in any order: it depends on how two partitions are interleaved.
    Records,
    /// The same without headers: a pair has those of the record that came second.
    Pairs,
    /// The last record of each key: those before depend on that.
    Last,
}

/// Topics that are written, with their numbers of partitions.
pub const OUTPUTS: [(&str, i32, Same); 19] = [
    ("resolved", 4, Same::Pairs),
    ("outer", 3, Same::Pairs),
    ("sums", 2, Same::Last),
    ("total", 3, Same::Order),
    ("tumbling", 3, Same::Order),
    ("late", 1, Same::Order),
    ("hopping", 3, Same::Order),
    ("sliding", 2, Same::Order),
    ("session", 3, Same::Order),
    ("closed", 3, Same::Order),
    ("silent", 1, Same::Order),
    ("once", 3, Same::Order),
    ("found", 3, Same::Order),
    ("named", 3, Same::Order),
    ("at-commit", 3, Same::Last),
    ("row-groups", 2, Same::Last),
    ("clicks", 4, Same::Records),
    ("groups", 2, Same::Last),
    ("checked", 3, Same::Records),
];

/// The full name of a topic.
pub fn full(topic: &str) -> String {
    format!("{APP}-{topic}")
}

//! Errors of a log.

use crate::log::LogTopicId;

/// Why the log can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The database failed: reopen it or stop, as its error says.
    #[error(transparent)]
    Store(#[from] millrace_store::Error),
    /// The topic exists with another number of partitions: use that number, or another topic.
    #[error("topic `{topic}` has {has} partitions, not {wanted}")]
    PartitionCount {
        /// Name of the topic.
        topic: String,
        /// How many it has.
        has: u32,
        /// How many were asked for.
        wanted: u32,
    },
    /// A topic can't have this name or number of partitions: the caller's mistake.
    #[error("topic `{topic}`: {reason}")]
    Invalid {
        /// Name of the topic.
        topic: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such partition: the caller's mistake.
    #[error("topic {}: there is no partition {partition}", topic.0)]
    UnknownPartition {
        /// The topic.
        topic: LogTopicId,
        /// The partition.
        partition: u32,
    },
    /// Another worker has appended to a partition whose uncommitted tail was read: abort the transaction and run it
    /// again.
    #[error("topic {} partition {partition}: another worker has appended to it in the meantime", topic.0)]
    Conflict {
        /// The topic.
        topic: LogTopicId,
        /// The partition.
        partition: u32,
    },
    /// Data on disk is damaged: restore it from a copy.
    #[error("topic {} partition {partition} offset {offset}: {reason}", topic.0)]
    Corrupt {
        /// The topic.
        topic: LogTopicId,
        /// The partition.
        partition: u32,
        /// Offset at which the block of records begins.
        offset: i64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The entry of a topic is damaged: restore the database from a copy.
    #[error("the entry of topic `{topic}` is damaged")]
    CorruptTopic {
        /// Name of the topic, as far as it can be read.
        topic: String,
    },
}

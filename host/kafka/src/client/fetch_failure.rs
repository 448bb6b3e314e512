//! The meaning of an error on a fetched partition: one judgement for all readers.

use rdkafka::error::RDKafkaErrorCode;

use crate::error::codes::{Class, class};

/// The meaning of an error on a fetched partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchFailure {
    /// The partition has no such offset: its records were deleted or lost, or the topic was made anew.
    OffsetGone,
    /// The topic is there, and the app may not read it.
    Forbidden,
    /// The topic is gone, or the app isn't allowed to read at all.
    Unavailable,
    /// The broker doesn't take the request at all, as with another version of Kafka.
    NotUnderstood,
    /// A connection, for example: librdkafka goes on trying.
    Passing,
}

impl FetchFailure {
    /// The meaning of an error's code.
    pub(crate) fn of(code: RDKafkaErrorCode) -> Self {
        use RDKafkaErrorCode::{AutoOffsetReset, OffsetOutOfRange, TopicAuthorizationFailed};
        match (code, class(code)) {
            (AutoOffsetReset | OffsetOutOfRange, _) => Self::OffsetGone,
            (TopicAuthorizationFailed, _) => Self::Forbidden,
            (_, Class::Topic | Class::Permission) => Self::Unavailable,
            (_, Class::App) => Self::NotUnderstood,
            _ => Self::Passing,
        }
    }

    /// Whether the same fetch won't do better: the offset is gone, or an administrator has to act. A reader may still begin
    /// at another offset.
    pub(crate) fn is_lasting(self) -> bool {
        matches!(self, Self::OffsetGone | Self::Forbidden | Self::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_that_is_gone_a_topic_that_is_gone_and_a_broker_that_is_away_are_told_apart() {
        use RDKafkaErrorCode as C;
        for (code, failure) in [
            (C::AutoOffsetReset, FetchFailure::OffsetGone),
            (C::OffsetOutOfRange, FetchFailure::OffsetGone),
            (C::TopicAuthorizationFailed, FetchFailure::Forbidden),
            (C::UnknownTopicOrPartition, FetchFailure::Unavailable),
            (C::GroupAuthorizationFailed, FetchFailure::Unavailable),
            (C::UnsupportedVersion, FetchFailure::NotUnderstood),
            (C::BrokerTransportFailure, FetchFailure::Passing),
            (C::NotLeaderForPartition, FetchFailure::Passing),
        ] {
            assert_eq!(FetchFailure::of(code), failure, "{code:?}");
        }
    }
}

//! The classes of errors that brokers or librdkafka answer: one table for all requests.
//!
//! | class | what is wrong | what follows |
//! |---|---|---|
//! | [`Size`](Class::Size) | the record is larger than its topic takes | it fails at its step (`cluster/limits.rs`) |
//! | [`Record`](Class::Record) | the broker doesn't take the record, however often it is sent | it fails at its step (`cluster/refused.rs`); a dead letter or an entry of a changelog stops the process |
//! | [`Neighbour`](Class::Neighbour) | the record went down with another one | nothing of its own: it is sent again |
//! | [`Topic`](Class::Topic) | the topic is gone, or may not be used | named; tried again until it may be, from what is committed |
//! | [`Permission`](Class::Permission) | the app may not use its group or its transactional ids, or its authentication fails | the same |
//! | [`Group`](Class::Group) | the tasks were assigned anew | the transaction is aborted, and the next assignment decides |
//! | [`Fence`](Class::Fence) | a newer producer has the transactional id | a new producer if the broker has ended the transaction for its age; else the process stops |
//! | [`Passing`](Class::Passing) | the cluster can't for now, or the reason is unknown | tried again, from what is committed |
//! | [`App`](Class::App) | no other attempt will do better | the process stops |
//!
//! Whether "tried again" means the same call, an aborted transaction or a new producer is part of librdkafka's error.
//! Codes that aren't in the table are passing: a broker that is newer than this client has codes that it doesn't know,
//! and to go on trying loses nothing.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::{Error, Reaction, code};

/// The class of an error: see the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Size,
    Record,
    Neighbour,
    Topic,
    Permission,
    Group,
    Fence,
    Passing,
    App,
}

/// The class of an error.
pub(crate) fn class(code: RDKafkaErrorCode) -> Class {
    use RDKafkaErrorCode as C;
    match code {
        // The limit on a batch is that of the topic's segments.
        C::MessageSizeTooLarge | C::MessageBatchTooLarge => Class::Size,
        C::InvalidTimestamp | C::InvalidRecord => Class::Record,
        C::InvalidDifferentRecord | C::PurgeQueue | C::PurgeInflight => Class::Neighbour,
        C::UnknownTopicOrPartition
        | C::UnknownTopic
        | C::UnknownPartition
        | C::UnknownTopicId
        | C::InvalidTopic
        | C::TopicAuthorizationFailed
        | C::PolicyViolation => Class::Topic,
        C::GroupAuthorizationFailed
        | C::TransactionalIdAuthorizationFailed
        | C::ClusterAuthorizationFailed
        | C::DelegationTokenAuthorizationFailed
        | C::DelegationTokenExpired
        | C::SaslAuthenticationFailed
        | C::Authentication => Class::Permission,
        C::IllegalGeneration
        | C::UnknownMemberId
        | C::FencedInstanceId
        | C::FencedMemberEpoch
        | C::StaleMemberEpoch
        | C::RebalanceInProgress => Class::Group,
        C::Fenced | C::InvalidProducerEpoch | C::ProducerFenced => Class::Fence,
        C::UnsupportedVersion
        | C::UnsupportedFeature
        | C::UnsupportedForMessageFormat
        | C::UnsupportedCompressionType
        | C::InvalidRequiredAcks
        | C::InvalidTransactionTimeout
        | C::OffsetMetadataTooLarge
        | C::InvalidCommitOffsetSize
        | C::InvalidGroupId
        | C::InvalidSessionTimeout
        | C::InvalidRequest => Class::App,
        _ => Class::Passing,
    }
}

/// The way to mend an error, after a semicolon; empty where only waiting helps.
pub(crate) fn remedy(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as C;
    match code {
        C::UnknownTopicOrPartition | C::UnknownTopic | C::UnknownPartition | C::UnknownTopicId => {
            "; make the topic as it was before, and it goes on"
        }
        C::TopicAuthorizationFailed => "; allow the app to use the topic, and it goes on",
        C::PolicyViolation => "; a policy of the cluster forbids it: ask the cluster's administrator",
        C::GroupAuthorizationFailed => "; allow the app its group (read), and it goes on",
        C::TransactionalIdAuthorizationFailed => {
            "; allow the app its transactional ids (describe, write), and it goes on"
        }
        C::ClusterAuthorizationFailed => "; allow the app to write idempotently, and it goes on",
        C::NotEnoughReplicas | C::NotEnoughReplicasAfterAppend | C::ISRInsufficient => {
            "; fewer replicas are in sync than the topic's `min.insync.replicas` asks for"
        }
        C::KafkaStorageError => "; a disk of the broker has failed or is full",
        C::GroupMaxSizeReached => "; the broker's `group.max.size` allows no more processes",
        C::InconsistentGroupProtocol => {
            "; another client is in the app's group, with another assignor: stop that one, or give the app another name"
        }
        C::InvalidSessionTimeout => {
            "; set a `session.timeout.ms` under [kafka] that is between the broker's `group.min.session.timeout.ms` \
             and `group.max.session.timeout.ms`"
        }
        C::InvalidGroupId => "; give the app another name",
        C::UnsupportedCompressionType => "; set another `compression.type` under [kafka]",
        C::UnsupportedVersion | C::UnsupportedFeature | C::UnsupportedForMessageFormat => {
            "; the cluster is too old: it has to be Kafka 2.5 or later"
        }
        _ => "",
    }
}

/// An error with the way to mend it.
pub(crate) fn describe(error: &KafkaError) -> String {
    format!("{error}{}", code(error).map_or("", remedy))
}

/// The reaction to an error that no other attempt can mend.
pub(crate) fn for_good(error: &KafkaError) -> Option<Reaction> {
    let is_for_good = code(error).is_some_and(|code| class(code) == Class::App);
    is_for_good.then(|| stop(&describe(error)))
}

/// The same for an error that is a text already.
pub(crate) fn stop(reason: &str) -> Reaction {
    Reaction::Stop(Error::Setup(format!("Kafka refuses it for good: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_tried_again() {
        for code in
            [RDKafkaErrorCode::Unknown, RDKafkaErrorCode::NotEnoughReplicas, RDKafkaErrorCode::RebootstrapRequired]
        {
            assert_eq!(class(code), Class::Passing);
        }
    }

    #[test]
    fn offsets_are_refused_for_an_old_generation_or_an_old_producer_and_that_is_not_the_same() {
        use RDKafkaErrorCode as C;
        for code in [C::IllegalGeneration, C::UnknownMemberId, C::FencedInstanceId, C::RebalanceInProgress] {
            assert_eq!(class(code), Class::Group);
        }
        for code in [C::InvalidProducerEpoch, C::ProducerFenced, C::Fenced] {
            assert_eq!(class(code), Class::Fence);
        }
        // Fatal to librdkafka, and mended by a new producer.
        for code in [C::InvalidTransactionalState, C::InvalidProducerIdMapping, C::OutOfOrderSequenceNumber] {
            assert_eq!(class(code), Class::Passing);
        }
    }

    #[test]
    fn a_refusal_for_good_stops_the_process_with_the_way_to_mend_it() {
        let error = KafkaError::MessageProduction(RDKafkaErrorCode::UnsupportedCompressionType);
        let said = for_good(&error).map(|reaction| format!("{reaction:?}")).unwrap_or_default();
        assert!(said.contains("`compression.type` under [kafka]"), "{said}");
        assert!(for_good(&KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed)).is_none());
    }
}

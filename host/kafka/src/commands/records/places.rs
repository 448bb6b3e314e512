//! Places in topics by the clock, and offsets of groups, by hand.

use millrace_engine::record::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::{ByPartition, Connection, client};
use crate::client::context::TroubleContext;
use crate::cluster::REQUEST_TIMEOUT;
use crate::error::{Error, code};

impl Connection {
    /// The first offset of each partition of these topics whose record has this time or a later one; no entry where
    /// there is none.
    ///
    /// # Errors
    /// A broker doesn't answer.
    pub(crate) fn since(&self, topics: &[&str], time: Timestamp) -> Result<ByPartition<i64>, Error> {
        // Negative times have other meanings in the protocol.
        self.offsets(&self.client, topics, Offset::Offset(time.max(0)))
    }

    /// Sets committed offsets of a group that has no members.
    ///
    /// # Errors
    /// [`Error::Setup`]: the group has members, or the user may not. Otherwise a broker doesn't answer.
    pub(crate) fn set_offsets(&self, group: &str, offsets: &ByPartition<i64>) -> Result<(), Error> {
        let mut config = self.settings.asker();
        config.set("group.id", group);
        let member: BaseConsumer<TroubleContext> = client(&config)?;
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in offsets {
            list.add_partition_offset(topic, partition.cast_signed(), Offset::Offset(*offset))?;
        }
        member.commit(&list, CommitMode::Sync).map_err(|error| match code(&error) {
            Some(RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::IllegalGeneration) => {
                Error::Setup(format!("processes of `{group}` have started meanwhile: stop them first"))
            }
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => Error::Setup(format!(
                "the offsets of the group `{group}` may not be set: its user lacks the operation `Read`"
            )),
            _ => error.into(),
        })?;
        // An answer may have a code for each partition, which the binding drops.
        let stored = member.committed_offsets(list, REQUEST_TIMEOUT)?;
        stored.elements().iter().try_for_each(|place| {
            let (topic, partition) = (place.topic(), place.partition());
            let wanted = offsets.get(&(topic.to_owned(), partition.cast_unsigned()));
            match (place.offset(), wanted) {
                (Offset::Offset(offset), Some(wanted)) if offset == *wanted => Ok(()),
                (found, _) => {
                    let why = place.error().err().map(|error| format!(": {error}")).unwrap_or_default();
                    Err(Error::Setup(format!(
                        "topic `{topic}`, partition {partition}: the broker has not taken the offset, and has \
                         {found:?}{why}; those of other partitions may be set: look with `millrace offsets`"
                    )))
                }
            }
        })
    }
}

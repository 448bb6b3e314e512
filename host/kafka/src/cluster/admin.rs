//! Asking a cluster about its topics, and changing them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::committed::OffsetClient;
use crate::client::context::LogContext;
use crate::client::native::{self, CommittedOffset, NotMade, TopicSpec, Topics};
use crate::client::settings::{ClientSettings, client};
use crate::error::Error;

/// How long a request may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection for questions and administration.
pub struct Cluster {
    settings: ClientSettings,
    /// The client, which others may be using while a new one takes its place.
    admin: Mutex<Arc<AdminClient<LogContext>>>,
    offsets: OffsetClient,
}

impl Cluster {
    /// Connects in the background: if no broker answers, the first request fails.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn new(settings: &ClientSettings) -> Result<Self, Error> {
        let admin = Mutex::new(Arc::new(client(&settings.admin())?));
        Ok(Self { settings: settings.clone(), admin, offsets: OffsetClient::default() })
    }

    /// Makes a request. A client whose request has failed is replaced: an idle one doesn't notice that a broker has
    /// gone or that another one leads, and would ask the same broker again.
    fn ask<T>(&self, question: impl FnOnce(&AdminClient<LogContext>) -> Result<T, Error>) -> Result<T, Error> {
        let admin = Arc::clone(&self.admin());
        let answer = question(&admin);
        if let Err(Error::Kafka(_)) = answer {
            let new = Arc::new(client(&self.settings.admin())?);
            *self.admin() = new;
        }
        answer
    }

    fn admin(&self) -> MutexGuard<'_, Arc<AdminClient<LogContext>>> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cluster's id.
    ///
    /// # Errors
    /// No broker answers.
    pub fn id(&self) -> Result<String, Error> {
        let none = Error::Kafka(KafkaError::MetadataFetch(RDKafkaErrorCode::AllBrokersDown));
        self.ask(|admin| admin.inner().fetch_cluster_id(REQUEST_TIMEOUT).ok_or(none))
    }

    /// Names of all topics with their numbers of partitions.
    ///
    /// # Errors
    /// No broker answers.
    pub fn topics(&self) -> Result<BTreeMap<String, u32>, Error> {
        let metadata = self.ask(|admin| Ok(admin.inner().fetch_metadata(None, REQUEST_TIMEOUT)?))?;
        let topics = metadata.topics().iter().filter(|topic| topic.error().is_none());
        Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as u32)).collect())
    }

    /// Number of partitions of a topic; `None` if there is no such topic.
    ///
    /// # Errors
    /// [`Error::Setup`]: we may not know. Otherwise no broker answers.
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, Error> {
        let metadata = self.ask(|admin| Ok(admin.inner().fetch_metadata(Some(topic), REQUEST_TIMEOUT)?))?;
        let Some(found) = metadata.topics().first() else { return Ok(None) };
        match found.error().map(RDKafkaErrorCode::from) {
            None if found.partitions().is_empty() => Ok(None),
            None => Ok(Some(found.partitions().len() as u32)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(may_not_describe(topic)),
            Some(code) => Err(Error::Kafka(KafkaError::MetadataFetch(code))),
        }
    }

    /// Those of these topics that exist, as they are now.
    pub(crate) fn describe(&self, topics: &[&str]) -> Result<Topics, Error> {
        if topics.is_empty() {
            return Ok(Topics::new());
        }
        self.ask(|admin| Ok(native::topics(admin, topics, REQUEST_TIMEOUT)?))
    }

    /// The ids of those of these topics that exist.
    ///
    /// # Errors
    /// [`Error::Setup`]: we may not know of one. Otherwise no broker answers.
    pub(crate) fn ids(&self, topics: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let id = |(name, topic): (String, Result<native::Topic, RDKafkaErrorCode>)| match topic {
            Ok(native::Topic { id, .. }) => Ok((name, id)),
            Err(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(may_not_describe(&name)),
            Err(code) => Err(Error::Kafka(KafkaError::MetadataFetch(code))),
        };
        self.describe(topics)?.into_iter().map(id).collect()
    }

    /// The `client.id`s of a group's members.
    ///
    /// # Errors
    /// Its coordinator doesn't answer, or the app may not know.
    pub(crate) fn members(&self, group: &str) -> Result<Vec<String>, Error> {
        self.ask(|admin| Ok(native::group_members(admin, group, REQUEST_TIMEOUT)?))
    }

    /// The committed offsets of a group in these partitions, each with an answer of its own; see [`CommittedOffset`].
    pub(crate) fn committed(
        &self,
        group: &str,
        places: &TopicPartitionList,
    ) -> Result<BTreeMap<(String, i32), CommittedOffset>, Error> {
        if places.count() == 0 {
            return Ok(BTreeMap::new());
        }
        self.offsets.committed(&self.settings, group, places)
    }

    /// First offset of a partition, and the one after its last record, committed or not.
    ///
    /// # Errors
    /// No broker answers.
    pub fn range(&self, topic: &str, partition: u32) -> Result<(i64, i64), Error> {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        self.ask(|admin| Ok(admin.inner().fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?))
    }

    /// The settings of topics, by topic and name. Those that we may not see are missing: the binding drops the broker's
    /// code and gives no settings, and every topic has some.
    ///
    /// # Errors
    /// No broker answers.
    pub fn configs(&self, topics: &[&str]) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
        let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        if resources.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answers = self.ask(|admin| Ok(block_on(admin.describe_configs(&resources, &options()))?))?;
        let mut configs = BTreeMap::new();
        for resource in answers.into_iter().flatten().filter(|resource| !resource.entries.is_empty()) {
            let OwnedResourceSpecifier::Topic(name) = resource.specifier else { continue };
            let entries = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
            configs.insert(name, entries.collect());
        }
        Ok(configs)
    }

    /// For how long a deletion can be seen in a compacted topic, in milliseconds; `None` where that may not be known.
    pub(crate) fn delete_retention(&self, topic: &str) -> Result<Option<i64>, Error> {
        let configs = self.configs(&[topic])?;
        Ok(configs.get(topic).and_then(|config| config.get("delete.retention.ms")?.parse().ok()))
    }

    /// Makes topics, and gives those that the broker refuses to make. Those that are there already stay as they are. To
    /// be used, they have to [appear](Self::wait_for).
    pub(crate) fn create(&self, topics: &[TopicSpec]) -> Result<Vec<NotMade>, Error> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let mut refused = self.ask(|admin| Ok(native::create_topics(admin, topics, REQUEST_TIMEOUT)?))?;
        refused.retain(|it| it.code != RDKafkaErrorCode::TopicAlreadyExists);
        match refused.iter().find(|it| !is_final(it.code)) {
            Some(it) => Err(Error::Kafka(KafkaError::AdminOp(it.code))),
            None => Ok(refused),
        }
    }

    /// Gives a topic more partitions. It is no failure if another process has given it as many meanwhile, which the
    /// cluster refuses to do twice.
    pub(crate) fn grow(&self, topic: &str, partitions: u32) -> Result<(), Error> {
        let wanted = NewPartitions::new(topic, partitions as usize);
        let spec = [TopicSpec { name: topic.into(), partitions, config: BTreeMap::new() }];
        for answer in self.ask(|admin| Ok(block_on(admin.create_partitions(&[wanted], &options()))?))? {
            match answer {
                Err((_, RDKafkaErrorCode::InvalidPartitions)) if self.wait_for(&spec).is_ok() => {}
                Err((topic, code)) if is_final(code) => {
                    return Err(Error::Setup(format!("topic `{topic}` can't get {partitions} partitions: {code}")));
                }
                Err((_, code)) => return Err(Error::Kafka(KafkaError::AdminOp(code))),
                Ok(_) => {}
            }
        }
        self.wait_for(&spec)
    }

    /// Waits until brokers know the topics: a topic that was just made is not yet known to every broker.
    pub(crate) fn wait_for(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        let limit = Instant::now() + REQUEST_TIMEOUT;
        for spec in topics {
            while self.partitions(&spec.name)?.is_none_or(|count| count < spec.partitions) {
                if Instant::now() > limit {
                    // The brokers that answered lag behind the one that has made it.
                    return Err(Error::Kafka(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)));
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Deletes topics; those that aren't there are no failure.
    ///
    /// # Errors
    /// [`Error::Setup`]: the broker refuses. Otherwise none answers.
    pub fn delete(&self, topics: &[&str]) -> Result<(), Error> {
        for answer in self.ask(|admin| Ok(block_on(admin.delete_topics(topics, &options()))?))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((topic, code)) => return Err(Error::Setup(format!("topic `{topic}` can't be deleted: {code}"))),
            }
        }
        Ok(())
    }

    /// Deletes the committed offsets of a group without members.
    ///
    /// # Errors
    /// [`Error::Setup`]: it has members, or the broker refuses. Otherwise none answers.
    pub fn delete_group(&self, group: &str) -> Result<(), Error> {
        for answer in self.ask(|admin| Ok(block_on(admin.delete_groups(&[group], &options()))?))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => {}
                Err((_, RDKafkaErrorCode::NonEmptyGroup)) => {
                    return Err(Error::Setup(format!("processes of `{group}` are running: stop them first")));
                }
                Err((_, code)) => {
                    return Err(Error::Setup(format!("the offsets of `{group}` can't be deleted: {code}")));
                }
            }
        }
        Ok(())
    }

    /// Deletes the records before these offsets.
    pub(crate) fn delete_records(&self, before: &[(String, u32, i64)]) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset) in before {
            list.add_partition_offset(topic, *partition as i32, Offset::Offset(*offset))?;
        }
        for element in self.ask(|admin| Ok(block_on(admin.delete_records(&list, &options()))?))?.elements() {
            element.error()?;
        }
        Ok(())
    }
}

fn may_not_describe(topic: &str) -> Error {
    Error::Setup(format!(
        "topic `{topic}`: the app isn't allowed to describe it: allow its user the operation `Describe` on the topic \
         (a broker says the same of one that doesn't exist)"
    ))
}

/// Whether a cluster that doesn't make or change a topic refuses it for good. All else is passing, as for other
/// requests (see [`codes`](crate::error::codes)): while it starts it has too few brokers or none that leads, it may
/// bound how fast topics are made (KIP-599), and a newer one has codes that this client doesn't know.
fn is_final(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as C;
    matches!(
        code,
        C::PolicyViolation
            | C::InvalidConfig
            | C::InvalidTopic
            | C::InvalidPartitions
            | C::InvalidReplicaAssignment
            | C::InvalidRequest
            | C::UnsupportedVersion
            | C::UnsupportedFeature
            | C::TopicAuthorizationFailed
            | C::ClusterAuthorizationFailed
    )
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_a_cluster_can_not_serve_for_now_is_tried_again_and_a_refusal_is_final() {
        use RDKafkaErrorCode as C;
        for code in [
            C::ThrottlingQuotaExceeded,
            C::InvalidReplicationFactor,
            C::NotController,
            C::RequestTimedOut,
            C::NotLeaderForPartition,
            C::CoordinatorNotAvailable,
            C::BrokerNotAvailable,
            C::NetworkException,
            C::KafkaStorageError,
            C::Unknown,
            C::RebootstrapRequired,
        ] {
            assert!(!is_final(code), "{code:?}");
        }
        for code in [
            C::PolicyViolation,
            C::InvalidConfig,
            C::InvalidTopic,
            C::InvalidPartitions,
            C::InvalidReplicaAssignment,
            C::InvalidRequest,
            C::UnsupportedVersion,
            C::TopicAuthorizationFailed,
            C::ClusterAuthorizationFailed,
        ] {
            assert!(is_final(code), "{code:?}");
        }
    }
}

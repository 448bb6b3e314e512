//! Asking a cluster about its topics, and changing them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::context::Log;
use crate::error::Error;
use crate::native;
use crate::settings::{ClientSettings, client};

/// How long a request may take.
pub(crate) const REQUEST: Duration = Duration::from_secs(15);

/// A connection for questions and administration.
pub struct Cluster {
    admin: AdminClient<Log>,
}

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// What differs from the broker's defaults.
    pub config: BTreeMap<&'static str, String>,
}

impl Cluster {
    /// Connects in the background: it is the first question that fails when nobody answers.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn new(settings: &ClientSettings) -> Result<Self, Error> {
        Ok(Self { admin: client(&settings.admin())? })
    }

    /// The cluster's id.
    ///
    /// # Errors
    /// No broker answers.
    pub fn id(&self) -> Result<String, Error> {
        let id = self.admin.inner().fetch_cluster_id(REQUEST);
        id.ok_or(Error::Kafka(KafkaError::MetadataFetch(RDKafkaErrorCode::AllBrokersDown)))
    }

    /// Names of all topics with their numbers of partitions.
    ///
    /// # Errors
    /// No broker answers.
    pub fn topics(&self) -> Result<BTreeMap<String, u32>, Error> {
        let metadata = self.admin.inner().fetch_metadata(None, REQUEST)?;
        let topics = metadata.topics().iter().filter(|topic| topic.error().is_none());
        Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as u32)).collect())
    }

    /// Number of partitions of a topic; `None` if there is no such topic.
    ///
    /// # Errors
    /// [`Error::Setup`]: we may not know. Otherwise no broker answers.
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, Error> {
        let metadata = self.admin.inner().fetch_metadata(Some(topic), REQUEST)?;
        let Some(found) = metadata.topics().first() else { return Ok(None) };
        match found.error().map(RDKafkaErrorCode::from) {
            None if found.partitions().is_empty() => Ok(None),
            None => Ok(Some(found.partitions().len() as u32)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(Error::Setup(format!("topic `{topic}`: not allowed to describe it")))
            }
            Some(code) => Err(Error::Kafka(KafkaError::MetadataFetch(code))),
        }
    }

    /// The ids of those of these topics that exist.
    pub(crate) fn ids(&self, topics: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(native::topic_ids(&self.admin, topics, REQUEST)?)
    }

    /// First offset of a partition, and the one after its last record, committed or not.
    ///
    /// # Errors
    /// No broker answers.
    pub fn range(&self, topic: &str, partition: u32) -> Result<(i64, i64), Error> {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        Ok(self.admin.inner().fetch_watermarks(topic, partition, REQUEST)?)
    }

    /// The settings of topics, by topic and name; those that we may not see are missing.
    ///
    /// # Errors
    /// No broker answers.
    pub fn configs(&self, topics: &[&str]) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
        let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        if resources.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answers = block_on(self.admin.describe_configs(&resources, &options()))?;
        let mut configs = BTreeMap::new();
        for resource in answers.into_iter().flatten() {
            let rdkafka::admin::OwnedResourceSpecifier::Topic(name) = resource.specifier else { continue };
            let entries = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
            configs.insert(name, entries.collect());
        }
        Ok(configs)
    }

    /// Makes topics; those that are there already stay as they are.
    ///
    /// # Errors
    /// [`Error::Setup`]: the broker refuses. Otherwise none answers.
    pub fn create(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        let new = topics.iter().map(|spec| {
            let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
            let topic = NewTopic::new(&spec.name, partitions, TopicReplication::Fixed(-1));
            spec.config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        });
        let new: Vec<_> = new.collect();
        if new.is_empty() {
            return Ok(());
        }
        for answer in block_on(self.admin.create_topics(&new, &options()))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(Error::Setup(format!("topic `{topic}` can't be made: {code}"))),
            }
        }
        self.wait_for(topics)
    }

    /// Gives a topic more partitions.
    pub(crate) fn grow(&self, topic: &str, partitions: u32) -> Result<(), Error> {
        let wanted = NewPartitions::new(topic, partitions as usize);
        for answer in block_on(self.admin.create_partitions(&[wanted], &options()))? {
            if let Err((topic, code)) = answer {
                return Err(Error::Setup(format!("topic `{topic}` can't get {partitions} partitions: {code}")));
            }
        }
        let spec = TopicSpec { name: topic.into(), partitions, config: BTreeMap::new() };
        self.wait_for(&[spec])
    }

    /// A topic that is made is not yet known to every broker.
    fn wait_for(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        let limit = Instant::now() + REQUEST;
        for spec in topics {
            while self.partitions(&spec.name)?.is_none_or(|count| count < spec.partitions) {
                if Instant::now() > limit {
                    return Err(Error::Setup(format!("topic `{}` was made, and doesn't appear", spec.name)));
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
        for answer in block_on(self.admin.delete_topics(topics, &options()))? {
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
        for answer in block_on(self.admin.delete_groups(&[group], &options()))? {
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
        for element in block_on(self.admin.delete_records(&list, &options()))?.elements() {
            element.error()?;
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}

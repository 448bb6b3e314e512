//! Making and deleting topics by hand.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use super::{Connection, client};
use crate::client::context::TroubleContext;
use crate::cluster::REQUEST_TIMEOUT;
use crate::error::Error;

/// How often to look whether a change has come about.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

impl Connection {
    /// Makes a topic with these numbers of partitions and of replicas of each, and returns when it can be used. Without
    /// a number of replicas, it gets the broker's default.
    ///
    /// # Errors
    /// [`Error::Setup`]: the broker refuses, or there is one of this name that is different. Otherwise none answers.
    pub fn create(
        &mut self,
        topic: &str,
        (partitions, replicas): (u32, Option<i32>),
        config: &[(String, String)],
    ) -> Result<(), Error> {
        if let Some(found) = self.topics.get(topic) {
            return self.check(topic, (*found, partitions), replicas, config);
        }
        let admin: AdminClient<TroubleContext> = client(&self.settings.admin())?;
        let new = NewTopic::new(
            topic,
            i32::try_from(partitions).unwrap_or(i32::MAX),
            TopicReplication::Fixed(replicas.unwrap_or(-1)),
        );
        let new = config.iter().fold(new, |new, (name, value)| new.set(name, value));
        let options =
            AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT));
        for answer in block_on(admin.create_topics([&new], &options))? {
            answer.map_err(|(topic, code)| Error::Setup(format!("topic `{topic}` can't be made: {}", words(code))))?;
        }
        self.wait_for(topic, |count| count.is_some_and(|count| count >= partitions))?;
        self.topics.insert(topic.into(), partitions);
        Ok(())
    }

    /// Checks that the topic is as it is wanted: then making it again is no mistake.
    fn check(
        &self,
        topic: &str,
        (found, wanted): (u32, u32),
        replicas: Option<i32>,
        config: &[(String, String)],
    ) -> Result<(), Error> {
        if found != wanted {
            return Err(Error::Setup(format!(
                "topic `{topic}` is there already, with {found} partitions, not {wanted}"
            )));
        }
        if let Some(wanted) = replicas {
            let found = self.replicas(topic)?;
            if found != usize::try_from(wanted).ok() {
                let found = found.map_or("unlike numbers of".into(), |found| found.to_string());
                let reason = format!("its partitions have {found} replicas, not {wanted}");
                return Err(Error::Setup(format!("topic `{topic}` is there already, and {reason}")));
            }
        }
        if config.is_empty() {
            return Ok(());
        }
        let mut all = self.cluster()?.configs(&[topic])?;
        let has = all.remove(topic).unwrap_or_default();
        match config.iter().find(|(name, value)| has.get(name) != Some(value)) {
            Some((name, value)) => {
                let has = has.get(name).map_or("unknown", String::as_str);
                Err(Error::Setup(format!("topic `{topic}` is there already, and its {name} is {has}, not {value}")))
            }
            None => Ok(()),
        }
    }

    /// How many replicas each partition of a topic has; none if not all have as many.
    fn replicas(&self, topic: &str) -> Result<Option<usize>, Error> {
        let metadata = self.client.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
        let partitions = metadata.topics().first().map(|topic| topic.partitions()).unwrap_or_default();
        let mut numbers = partitions.iter().map(|partition| partition.replicas().len());
        let first = numbers.next();
        Ok(first.filter(|first| numbers.all(|number| number == *first)))
    }

    /// Deletes topics, and returns when they are gone. Those that aren't there are no failure.
    ///
    /// # Errors
    /// [`Error::Setup`]: the broker refuses. Otherwise none answers.
    pub fn delete(&mut self, topics: &[&str]) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        self.cluster()?.delete(topics)?;
        self.wait_until_gone(topics)
    }

    /// Waits until the brokers know that topics were deleted.
    ///
    /// # Errors
    /// [`Error::Setup`]: they take too long. Otherwise none answers.
    pub(crate) fn wait_until_gone(&mut self, topics: &[&str]) -> Result<(), Error> {
        for topic in topics {
            self.wait_for(topic, |count| count.is_none())?;
            self.topics.remove(*topic);
        }
        Ok(())
    }

    /// Waits until the brokers know of the change of a topic.
    fn wait_for(&self, topic: &str, so: impl Fn(Option<u32>) -> bool) -> Result<(), Error> {
        let limit = Instant::now() + REQUEST_TIMEOUT;
        loop {
            let metadata = self.client.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
            let found = metadata.topics().first().filter(|topic| topic.error().is_none());
            if so(found.map(|topic| topic.partitions().len() as u32).filter(|count| *count > 0)) {
                return Ok(());
            }
            if Instant::now() > limit {
                return Err(Error::Setup(format!("topic `{topic}`: the brokers don't know yet that it has changed")));
            }
            std::thread::park_timeout(RETRY_INTERVAL);
        }
    }
}

fn words(code: RDKafkaErrorCode) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            "there are fewer brokers than its partitions are to have replicas".into()
        }
        RDKafkaErrorCode::InvalidConfig => "one of its settings is unknown, or its value is wrong".into(),
        RDKafkaErrorCode::InvalidTopic => "Kafka takes the letters a to z, digits, `.`, `-` and `_` in names".into(),
        code => code.to_string(),
    }
}

//! `millrace topic` and `millrace topics`: the topics of a data folder or of a Kafka cluster, from outside an app.

mod gc;
mod outcome;
mod read;
mod write;

use std::error::Error as StdError;
use std::io::{self, Write};

use anyhow::Result;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::secret::Secret;
use millrace_kafka::records::Connection;
use millrace_kafka::topics::ClusterTopics;
use millrace_topics::{NewTopic, Selection, Topics};

use crate::args::{At, TopicCommand};
use crate::{data, input};

pub(super) use write::write_all;

/// Runs a command on topics.
///
/// # Errors
/// The data folder or the cluster, the topic or the input is wrong; or orphaned topics can't be deleted.
pub fn topic(command: TopicCommand) -> Result<()> {
    match command {
        TopicCommand::Read { topic, place, partition, from, limit, key } => {
            let selection = Selection { topic: &topic, partition, from, limit: limit.unwrap_or(u64::MAX) };
            let key = key.map(KeyCodec::from);
            match place.at()? {
                At::Folder(folder) => read::read(&mut data::topics_to_read(&data::folder(folder)?)?, &selection, key),
                At::Kafka(bootstrap, set) => {
                    read::read(&mut ClusterTopics::new(&mut connect(bootstrap, &set)?), &selection, key)
                }
            }
        }
        TopicCommand::Write { topic, place, input, key } => {
            let (topic, input, key) = (topic.as_deref(), input::open(input.as_deref())?, key.map(KeyCodec::from));
            match place.at()? {
                At::Folder(folder) => {
                    write::write(&mut data::topics_to_write(&data::folder(folder)?)?, topic, input, key)
                }
                At::Kafka(bootstrap, set) => {
                    write::write(&mut ClusterTopics::new(&mut connect(bootstrap, &set)?), topic, input, key)
                }
            }
        }
        TopicCommand::List { place } => match place.at()? {
            At::Folder(folder) => list(&mut data::topics_to_read(&data::folder(folder)?)?),
            At::Kafka(bootstrap, set) => list(&mut ClusterTopics::new(&mut connect(bootstrap, &set)?)),
        },
        TopicCommand::Create { topic, place, partitions, replication_factor, key, config } => {
            let key = key.map(KeyCodec::from);
            let new = NewTopic { name: &topic, partitions, replication_factor, key, config: &config };
            match place.at()? {
                At::Folder(folder) => Ok(data::topics_to_create(&data::folder(folder)?)?.create(&new)?),
                At::Kafka(bootstrap, set) => Ok(ClusterTopics::new(&mut connect(bootstrap, &set)?).create(&new)?),
            }
        }
        TopicCommand::Gc(arguments) => gc::gc(&arguments),
    }
}

pub(super) fn connect(bootstrap: &str, settings: &[(String, Secret)]) -> Result<Connection> {
    Ok(Connection::open("millrace", bootstrap, settings)?)
}

/// Prints topics with their numbers of partitions and records.
fn list<E: StdError + Send + Sync + 'static>(topics: &mut dyn Topics<Error = E>) -> Result<()> {
    let topics = topics.list()?;
    let mut out = io::stdout().lock();
    let width = topics.iter().map(|topic| topic.name.len()).max().unwrap_or(0).max(5);
    writeln!(out, "{:width$}  partitions  records", "topic")?;
    for topic in topics {
        writeln!(out, "{:width$}  {:>10}  {:>7}", topic.name, topic.partitions, topic.records)?;
    }
    Ok(())
}

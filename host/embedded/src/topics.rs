//! The topics of a data folder, from outside an app.

mod write;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::Arc;

use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::InputRecord;
use millrace_store::Database;
use millrace_topics::{NewTopic, Selection, TopicInfo, Topics, Writer};

use crate::catalog::Catalog;
use crate::error::Error;
use crate::log::{Log, LogTopicId};

/// The topics of a log. Records are appended to the log itself, or handed to the app that has it open.
pub struct FolderTopics {
    database: Arc<Database>,
    log: Arc<Log>,
    inbox: Option<PathBuf>,
}

impl FolderTopics {
    /// The topics of a log that this process has open. If it is open for reading only, nothing can be created or
    /// written.
    pub fn new(database: Arc<Database>, log: Arc<Log>) -> Self {
        Self { database, log, inbox: None }
    }

    /// The topics of a log that an app in another process has open: records are written to the app's inbox.
    pub fn of_running_app(database: Arc<Database>, log: Arc<Log>, inbox: PathBuf) -> Self {
        Self { database, log, inbox: Some(inbox) }
    }
}

impl Topics for FolderTopics {
    type Error = Error;

    fn list(&mut self) -> Result<Vec<TopicInfo>, Error> {
        let topics = self.log.topics().into_iter().map(|(name, id, partitions)| {
            let ends = (0..partitions).map(|partition| self.log.end_offset(id, partition));
            let records = ends.sum::<Result<i64, _>>()?;
            Ok(TopicInfo { name, partitions, records })
        });
        topics.collect()
    }

    fn partitions(&mut self, topic: &str) -> Result<u32, Error> {
        Ok(self.log.partitions(find(&self.log, topic)?))
    }

    fn key_codecs(&mut self) -> Result<Option<BTreeMap<String, Option<KeyCodec>>>, Error> {
        let known = Catalog::load(&self.log)?.topics;
        let names = self.log.topics().into_iter().map(|(name, _, _)| name);
        Ok(Some(names.map(|name| (name.clone(), known.get(&name).copied())).collect()))
    }

    /// If the topic exists and its keys are bytes, it takes another codec: that is how topics begin of whose keys
    /// nothing is known.
    fn create(&mut self, new: &NewTopic<'_>) -> Result<(), Error> {
        let topic = new.name;
        let mut catalog = Catalog::load(&self.log)?;
        let codec = catalog.topics.get(topic).copied().filter(|codec| *codec != KeyCodec::Bytes);
        if let (Some(codec), Some(wanted)) = (codec, new.key)
            && codec != wanted
        {
            let (codec, wanted) = (codec.name(), wanted.name());
            return Err(Error::Input(format!(
                "topic `{topic}` exists, and its keys are {codec}, not {wanted}: leave --key out, or take another name"
            )));
        }
        let existing = self.log.topic(topic).map(|id| self.log.partitions(id));
        self.log.create_topic(topic, new.partitions.or(existing).unwrap_or(1))?;
        if codec.is_none() {
            catalog.topics.insert(topic.to_owned(), new.key.unwrap_or(KeyCodec::Bytes));
            catalog.save(&self.database, &self.log)?;
        }
        Ok(())
    }

    fn read(
        &mut self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(u32, InputRecord) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        let Selection { topic, partition, from, limit } = *selection;
        let id = find(&self.log, topic)?;
        let mut left = limit;
        for number in selected(&self.log, id, topic, partition)? {
            let mut reader = self.log.reader(id, number, from)?;
            while left > 0
                && let Some(record) = reader.next_record()?
            {
                left -= 1;
                if visit(number, record).is_break() {
                    return Ok(0);
                }
            }
        }
        Ok(0)
    }

    fn writer(&mut self) -> Result<Box<dyn Writer<Error = Error> + '_>, Error> {
        Ok(Box::new(write::FolderWriter::new(self)))
    }
}

fn find(log: &Log, name: &str) -> Result<LogTopicId, Error> {
    log.topic(name).ok_or_else(|| {
        let names: Vec<_> = log.topics().into_iter().map(|(name, _, _)| format!("`{name}`")).collect();
        Error::Input(match names.is_empty() {
            true => format!(
                "there is no topic `{name}`: the log has none yet; a pipeline makes its topics when it first runs, and `topic \
                 create` makes one"
            ),
            false => format!("there is no topic `{name}`; there are {}", names.join(", ")),
        })
    })
}

/// The partitions of a topic, or the one that is named.
fn selected(log: &Log, topic: LogTopicId, name: &str, only: Option<u32>) -> Result<Range<u32>, Error> {
    let count = log.partitions(topic);
    match only {
        Some(only) if only >= count => {
            let last = count.saturating_sub(1);
            Err(Error::Input(format!("topic `{name}` has no partition {only}: its last one is {last}")))
        }
        Some(only) => Ok(only..only + 1),
        None => Ok(0..count),
    }
}

//! Topics by hand: for commands that look into topics or write to them, and are no part of an app.
//!
//! A [`Connection`] knows the topics of a cluster. [`Reading`] gives the committed records of one of them up to where
//! it ended when the reading began; [`Writer`] sends records, and tells which of them didn't arrive.
//!
//! Unlike an instance, which waits for brokers as long as it takes, these give up after seconds: a person waits for the
//! command.

mod make;
mod places;
mod read;
mod write;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_engine::secret::Secret;
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::client::context::TroubleContext;
use crate::client::first_answer;
use crate::client::settings::{ClientSettings, check, wrong_settings};
use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::error::Error;

pub use read::Reading;
pub use write::{Outgoing, Undelivered, Writer};

/// How long the first answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings that mean something else to a command than to a user who sets them, with the reason.
const RESERVED_SETTINGS: [(&str, &str); 14] = [
    ("bootstrap.servers", "it is what --kafka says"),
    ("metadata.broker.list", "it is what --kafka says"),
    ("client.id", "the command has its own"),
    ("group.id", "the command is in no group"),
    ("group.instance.id", "the command is in no group"),
    ("transactional.id", "the command writes without transactions"),
    ("isolation.level", "the command reads what is committed"),
    ("enable.idempotence", "no record is to arrive twice"),
    ("acks", "a record counts as written when all replicas have it"),
    ("request.required.acks", "a record counts as written when all replicas have it"),
    ("auto.offset.reset", "where to begin is what --from says"),
    ("enable.partition.eof", "the command needs it to find the end"),
    ("enable.auto.commit", "the command commits no offsets"),
    ("allow.auto.create.topics", "a topic that isn't there is a mistake"),
];

/// Something about each partition, by topic and number.
pub type ByPartition<T> = BTreeMap<(String, u32), T>;

/// A connection to a cluster that has answered.
pub struct Connection {
    settings: ClientSettings,
    raw: Vec<(String, Secret)>,
    client: BaseConsumer<TroubleContext>,
    topics: BTreeMap<String, u32>,
}

impl Connection {
    /// Connects under the name of an app, with raw settings of librdkafka.
    ///
    /// # Errors
    /// [`Error::Setup`]: a setting is wrong, or the cluster refuses. [`Error::Unreachable`]: no broker answers within
    /// seconds.
    pub fn open(app: &str, bootstrap: &str, raw: &[(String, Secret)]) -> Result<Self, Error> {
        if let Some((name, reason)) = RESERVED_SETTINGS.iter().find(|(name, _)| raw.iter().any(|(own, _)| own == name))
        {
            return Err(Error::Setup(format!("`{name}` can't be set here: {reason}")));
        }
        check(raw)?;
        let settings = ClientSettings::new(app, "command", bootstrap, raw, Duration::ZERO)?;
        let client: BaseConsumer<TroubleContext> = client(&settings.admin())?;
        answered(&client, bootstrap)?;
        let metadata = client.fetch_metadata(None, ANSWER_TIMEOUT)?;
        let topics = metadata.topics().iter().filter(|topic| topic.error().is_none());
        let topics = topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as u32)).collect();
        Ok(Self { settings, raw: raw.to_vec(), client, topics })
    }

    /// Names of all topics with their numbers of partitions, as they were when it connected.
    pub fn topics(&self) -> &BTreeMap<String, u32> {
        &self.topics
    }

    /// First offset of each partition of these topics, and the one after its last record, committed or not.
    ///
    /// # Errors
    /// A broker doesn't answer.
    pub fn ranges(&self, topics: &[&str]) -> Result<ByPartition<(i64, i64)>, Error> {
        let low = self.offsets(&self.client, topics, Offset::Beginning)?;
        let high = self.offsets(&self.client, topics, Offset::End)?;
        Ok(low.into_iter().filter_map(|(place, low)| Some((place.clone(), (low, *high.get(&place)?)))).collect())
    }

    /// One request to each broker, however many partitions there are: the protocol has timestamps that stand for the
    /// beginning and the end.
    fn offsets(
        &self,
        client: &BaseConsumer<TroubleContext>,
        topics: &[&str],
        which: Offset,
    ) -> Result<ByPartition<i64>, Error> {
        let mut list = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..self.topics.get(*topic).copied().unwrap_or(0) {
                list.add_partition_offset(topic, partition as i32, which)?;
            }
        }
        if list.count() == 0 {
            return Ok(BTreeMap::new());
        }
        let mut offsets = BTreeMap::new();
        for place in client.offsets_for_times(list, REQUEST_TIMEOUT)?.elements() {
            let (topic, partition) = (place.topic(), place.partition());
            place.error().map_err(|error| Error::Setup(format!("topic `{topic}`, partition {partition}: {error}")))?;
            if let Offset::Offset(offset) = place.offset() {
                offsets.insert((topic.to_owned(), partition as u32), offset);
            }
        }
        Ok(offsets)
    }

    /// The members of a group, by client and host. `None` if there is no such group.
    fn members(&self, group: &str) -> Result<Option<Vec<String>>, Error> {
        let groups = self.client.fetch_group_list(Some(group), REQUEST_TIMEOUT)?;
        let group = groups.groups().iter().find(|found| found.name() == group && found.state() != "Dead");
        let name = |host: &str, client: &str| format!("{client} at {}", host.trim_start_matches('/'));
        let members = |members: &[rdkafka::groups::GroupMemberInfo]| {
            members.iter().map(|member| name(member.client_host(), member.client_id())).collect()
        };
        Ok(group.map(|group| members(group.members())))
    }

    /// Whether there is a group of this name. None of its members may be running.
    ///
    /// # Errors
    /// [`Error::Setup`]: some are. Otherwise a broker doesn't answer.
    pub(crate) fn has_group(&self, group: &str) -> Result<bool, Error> {
        match self.members(group)? {
            Some(members) if !members.is_empty() => {
                let members = members.join(", ");
                Err(Error::Setup(format!("processes of `{group}` are running: {members}; stop them first")))
            }
            members => Ok(members.is_some()),
        }
    }

    pub(crate) fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// The same cluster, to be changed.
    pub(crate) fn cluster(&self) -> Result<Cluster, Error> {
        Cluster::new(&self.settings)
    }

    /// Sets a value where the user has set none.
    fn default(&self, config: &mut ClientConfig, name: &str, value: impl ToString) {
        if !self.raw.iter().any(|(own, _)| own == name) {
            config.set(name, value.to_string());
        }
    }
}

/// Waits for the cluster.
///
/// # Errors
/// [`Error::Setup`]: it refuses. [`Error::Unreachable`]: it doesn't answer.
fn answered(client: &BaseConsumer<TroubleContext>, bootstrap: &str) -> Result<(), Error> {
    let (began, mut last) = (Instant::now(), None);
    let id = first_answer::cluster_id(client, bootstrap, &mut |silence| {
        last = silence;
        began.elapsed() < ANSWER_TIMEOUT
    })?;
    match (id, last) {
        (None, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Makes a client.
fn client<C: ClientContext + Default, T: FromClientConfigAndContext<C>>(config: &ClientConfig) -> Result<T, Error> {
    config.create_with_context(C::default()).map_err(wrong_settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(raw: &[(&str, &str)]) -> String {
        let raw: Vec<_> = raw.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value))).collect();
        Connection::open("test", "127.0.0.1:1", &raw).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn reserved_and_unknown_settings_are_refused_before_a_broker_is_asked() {
        assert_eq!(
            refused(&[("transaction.timeout.ms", "10s")]),
            "the setting `transaction.timeout.ms` can't have this value\n  help: it takes whole numbers from 1000 to \
             2147483647"
        );
        assert_eq!(refused(&[("group.id", "x")]), "`group.id` can't be set here: the command is in no group");
        let unknown = refused(&[("sasl.pasword", "x")]);
        assert!(
            unknown.starts_with("librdkafka has no setting `sasl.pasword`; did you mean `sasl.password`?"),
            "{unknown}"
        );
    }
}

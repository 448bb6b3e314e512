//! The cluster of these tests, and apps on it.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use millrace_broker::{Cluster, Options};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::support::{Place, Running, Said, guest_named};

/// Time limit of a request, and of a wait.
const REQUEST: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// A place with pipelines of the rules in tests/guests/operators, on the cluster. Names of apps and topics are the
/// test's own.
pub struct OnKafka {
    pub place: Place,
    pub bootstrap: String,
}

/// The cluster; `None` if Kafka can't run, and then the test counts as not run.
pub fn on_kafka() -> Option<OnKafka> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let start = || millrace_broker::for_test(Options::default()).unwrap();
    let bootstrap = CLUSTER.get_or_init(start).as_ref()?.bootstrap();
    let place = Place::new();
    place.write("operators.wasm", guest_named("operators.wasm"));
    Some(OnKafka { place, bootstrap })
}

/// A pipeline that passes records on, without a plugin.
pub fn pass(app: &str, input: &str, output: &str) -> String {
    format!(
        "app = \"{app}\"\n[[source]]\nname = \"in\"\ntopic = \"{input}\"\nkey = \"i64\"\n[[sink]]\nfrom = \"in\"\n\
         topic = \"{output}\"\n"
    )
}

/// A pipeline whose step `name` counts the records of each key of `<app>-in`, to `<app>-out`.
pub fn count(app: &str, name: &str, window: &str) -> String {
    format!(
        "app = \"{app}\"\n[plugins.operators]\ncomponent = \"operators.wasm\"\n[[source]]\nname = \"in\"\n\
         topic = \"{app}-in\"\nkey = \"i64\"\n[[aggregate]]\nname = \"{name}\"\nfrom = \"in\"\n\
         call = \"operators.counts\"\n{window}\n[[sink]]\nfrom = \"{name}\"\ntopic = \"{app}-out\"\n"
    )
}

/// A pipeline that pairs each record of `<app>-in` with its row of the global table `names`, to `<app>-out`.
pub fn named(app: &str) -> String {
    format!(
        "app = \"{app}\"\n[plugins.operators]\ncomponent = \"operators.wasm\"\n[[source]]\nname = \"in\"\n\
         topic = \"{app}-in\"\nkey = \"i64\"\n[[global-table]]\nname = \"names\"\ntopic = \"{app}-names\"\n\
         key = \"i64\"\n[[lookup]]\nname = \"named\"\nstream = \"in\"\ntable = \"names\"\nkind = \"left\"\n\
         call = \"operators.pair\"\n[[sink]]\nfrom = \"named\"\ntopic = \"{app}-out\"\n"
    )
}

impl OnKafka {
    /// Runs the command to its end.
    pub fn millrace(&self, words: &str) -> Said {
        self.place.millrace(&format!("{words} --kafka {}", self.bootstrap))
    }

    /// Runs the reset command in a message unchanged, and confirms it.
    pub fn do_as_told(&self, said: &str) {
        self.place.millrace(&format!("{} --yes", told("reset", said))).good();
    }

    /// Runs the command in a message that sets offsets, and confirms it.
    pub fn set_as_told(&self, said: &str, to: &str) -> Said {
        self.place.millrace(&format!("{} {to} --yes", told("offsets", said)))
    }

    /// Starts a process of the pipeline in this file, on this folder.
    pub fn start(&self, file: &str, data: &str) -> Running {
        let kafka = "--set kafka.session.timeout.ms=6000 --set commit-interval=20ms";
        let words = format!("run {file} --data {data} {kafka} --kafka {}", self.bootstrap);
        let mut command = self.place.command(&words);
        command.env("MILLRACE_LOG", "info");
        Running::start(command)
    }

    /// Runs a pipeline until it is idle.
    pub fn run(&self, file: &str, data: &str) -> Said {
        self.millrace(&format!("run {file} --data {data} --until-idle"))
    }

    pub fn create(&self, topic: &str, partitions: u32) {
        let made =
            || self.millrace(&format!("topic create {topic} --partitions {partitions} --config retention.ms=-1"));
        // One that was just deleted may still be there for a moment.
        let end = Instant::now() + PATIENCE;
        while made().code != Some(0) {
            assert!(Instant::now() < end, "`{topic}` can't be made");
        }
    }

    /// Writes records with the keys and ids from `from` to `to`, of amount 1.
    pub fn write(&self, topic: &str, (from, to): (i64, i64)) {
        let line = |id| {
            let value = format!(r#"{{"id":{id},"amount":1}}"#);
            format!(
                "{{\"topic\":\"{topic}\",\"key\":{id},\"value\":{value},\"timestamp\":{}}}\n",
                1_700_000_000_000 + id
            )
        };
        let lines: String = (from..to).map(line).collect();
        let words = format!("topic write --key i64 --kafka {}", self.bootstrap);
        self.place.millrace_with(&words, &lines).good();
    }

    /// The committed records of a topic.
    pub fn read(&self, topic: &str) -> Vec<Value> {
        let lines = self.millrace(&format!("topic read {topic} --key i64")).good();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until so many records are committed to a topic.
    pub fn wait_for(&self, topic: &str, records: usize) {
        let end = Instant::now() + PATIENCE;
        while self.read(topic).len() < records {
            assert!(Instant::now() < end, "`{topic}` has {} records, not {records}", self.read(topic).len());
        }
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("log_level", "0");
        config
    }

    /// Deletes topics.
    pub fn delete(&self, topics: &[&str]) {
        for deleted in block_on(self.admin().delete_topics(topics, &AdminOptions::new())).unwrap() {
            deleted.unwrap();
        }
    }

    /// Gives a topic more partitions, and returns when it has them.
    pub fn grow(&self, topic: &str, partitions: usize) {
        let new = NewPartitions::new(topic, partitions);
        for grown in block_on(self.admin().create_partitions([&new], &AdminOptions::new())).unwrap() {
            grown.unwrap();
        }
        let end = Instant::now() + PATIENCE;
        while self.partitions(topic) < partitions {
            assert!(Instant::now() < end, "`{topic}` doesn't have {partitions} partitions");
        }
    }

    /// How many partitions a topic has.
    pub fn partitions(&self, topic: &str) -> usize {
        self.admin().inner().fetch_metadata(Some(topic), REQUEST).unwrap().topics()[0].partitions().len()
    }

    /// Recreates a topic as soon as that is possible.
    pub fn make_anew(&self, topic: &str) {
        let admin = self.admin();
        self.delete(&[topic]);
        let new = [NewTopic::new(topic, 1, TopicReplication::Fixed(-1)).set("retention.ms", "-1")];
        let end = Instant::now() + PATIENCE;
        while block_on(admin.create_topics(&new, &AdminOptions::new())).unwrap().iter().any(Result::is_err) {
            assert!(Instant::now() < end, "`{topic}` can't be made anew");
        }
    }

    /// Deletes the records of partition 0 before an offset. A broker refuses that for a
    /// topic that is only compacted, so its policy is another one meanwhile.
    pub fn delete_records(&self, topic: &str, before: i64) {
        let own = self.own_settings(topic);
        self.set(topic, &own, Some("delete"));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(before)).unwrap();
        for deleted in block_on(self.admin().delete_records(&list, &AdminOptions::new())).unwrap().elements() {
            deleted.error().unwrap();
        }
        self.set(topic, &own, None);
    }

    fn own_settings(&self, topic: &str) -> Vec<(String, String)> {
        let topics = [ResourceSpecifier::Topic(topic)];
        let mut answers = block_on(self.admin().describe_configs(&topics, &AdminOptions::new())).unwrap();
        let entries = answers.pop().unwrap().unwrap().entries.into_iter();
        let own = entries.filter(|entry| entry.source == ConfigSource::DynamicTopic);
        own.filter_map(|entry| Some((entry.name, entry.value?))).collect()
    }

    /// Sets all settings that a topic has of its own, with another policy if there is one.
    fn set(&self, topic: &str, settings: &[(String, String)], policy: Option<&str>) {
        let policy = policy.map(|policy| ("cleanup.policy", policy));
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings: BTreeMap<_, _> = settings.chain(policy).collect();
        let config = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let config = settings.into_iter().fold(config, |config, (name, value)| config.set(name, value));
        for altered in block_on(self.admin().alter_configs([&config], &AdminOptions::new())).unwrap() {
            altered.unwrap();
        }
    }

    /// Names of the topics that begin so.
    pub fn topics(&self, prefix: &str) -> Vec<String> {
        let metadata = self.admin().inner().fetch_metadata(None, REQUEST).unwrap();
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        names.filter(|name| name.starts_with(prefix)).collect()
    }

    /// Deletes the committed offsets of a group, as the broker does when they expire.
    pub fn delete_group(&self, group: &str) {
        let end = Instant::now() + PATIENCE;
        let deleted = || block_on(self.admin().delete_groups(&[group], &AdminOptions::new())).unwrap();
        while deleted().iter().any(Result::is_err) {
            assert!(Instant::now() < end, "the group `{group}` can't be deleted");
        }
    }
}

/// The one command of this name that a message has.
fn told(name: &str, said: &str) -> String {
    let quoted = said.split('`').skip(1).step_by(2);
    let commands = quoted.filter_map(|words| words.strip_prefix("millrace "));
    let commands: Vec<_> = commands.filter(|words| words.starts_with(name)).collect();
    let [command] = commands[..] else { panic!("one `millrace {name}`, not {commands:?}: {said}") };
    command.to_owned()
}

/// The message of a start that must be refused.
pub fn refused(said: Said) -> String {
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "it should be refused: {}", said.err);
    said.err.lines().last().unwrap_or_default().to_owned()
}

//! Reads what counts for the whole app: its settings, its plugins, its Kafka settings.

use std::time::Duration;

use super::diagnostic::{Place, Placed, Problems, Sources};
use super::fields::Fields;
use super::model::Plugin;
use super::scalars::{name_error, topic_error};
use super::tree::{Entry, Item, Value};
use crate::topology::{GuestLimits, OnWorkerFailure, PluginUse, Settings};

/// Kafka settings that the host sets itself, with the reason. Other names that the client has for the same setting are
/// here too: what is given twice is set in no certain order.
const OWNED: [(&str, &str); 21] = [
    ("bootstrap.servers", BROKER),
    ("metadata.broker.list", BROKER),
    ("client.id", "the host makes it of the app's name and the instance's"),
    ("client.rack", "assigning partitions by racks would part those that joins need together"),
    ("group.id", "the consumer group is the app's name"),
    ("group.instance.id", "each instance needs its own, and they all read this file"),
    ("group.protocol", "the driver needs the classic protocol"),
    ("group.remote.assignor", "the driver needs the classic protocol"),
    ("partition.assignment.strategy", "joins need partitions of the same number on the same member"),
    ("transactional.id", "each worker has one, made of the app's name"),
    ("enable.idempotence", "exactly once needs it"),
    ("acks", ACKS),
    ("request.required.acks", ACKS),
    ("isolation.level", "exactly once needs read_committed"),
    ("enable.auto.commit", OFFSETS),
    ("auto.commit.enable", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("enable.partition.eof", "restoring state needs it"),
    ("auto.offset.reset", "a new app starts at the beginning; a jump over lost records is an error"),
    (
        "allow.auto.create.topics",
        "a topic that a broker makes has the broker's number of partitions, and not the right one",
    ),
    ("partitioner", "the engine picks partitions"),
];

/// Kafka settings that the host reads too, and what they are. A value that is none would be passed over, or refused by
/// the client without its place.
const NUMBERS: [(&str, &str); 3] = [
    ("transaction.timeout.ms", "a whole number of milliseconds, such as 10000"),
    ("message.max.bytes", "a whole number of bytes, such as 1000000"),
    ("batch.size", "a whole number of bytes, such as 1000000"),
];

const LIMITS_HELP: &str = "write limits = { deadline = \"1s\", memory = \"64MiB\" }, or a table of its own";
const PLUGIN_HELP: &str = "write [plugins.NAME], and below it component = \"plugin.wasm\"";
const KAFKA_HELP: &str = "write a table: [kafka], and below it names and values such as \"linger.ms\" = 5";

const BROKER: &str = "it is given on the command line: --kafka BOOTSTRAP";
const ACKS: &str = "exactly once needs all of them";
const OFFSETS: &str = "offsets are committed with the transaction";

const ON_WORKER_FAILURE: [(&str, OnWorkerFailure); 2] =
    [("replace", OnWorkerFailure::Replace), ("stop", OnWorkerFailure::Stop)];

/// The app-wide part of a pipeline.
pub(super) struct App {
    pub name: String,
    pub settings: Settings,
    pub dlq: Option<Placed<String>>,
    pub breaker: Option<Place>,
    pub limits: GuestLimits,
    pub kafka: Vec<(String, String)>,
}

/// Reads the app-wide keys.
pub(super) fn read_app(entries: Vec<Entry>, problems: &mut Problems) -> App {
    let mut fields = Fields::new("the app", Place::default(), entries, problems);
    let name = read_name(&mut fields);
    let dlq = fields.topic("dlq");
    let commit_interval = fields.some_time("commit-interval").map_or(Duration::from_millis(100), |time| time.value);
    let threads = fields.integer("threads", 1, 1024).map_or(1, |number| number.value);
    let on_worker_failure = fields.choice("on-worker-failure", &ON_WORKER_FAILURE).map(|choice| choice.value);
    let breaker = read_breaker(&mut fields);
    let limits = read_limits(&mut fields, GuestLimits::default());
    let kafka = fields.take("kafka").map(|entry| read_kafka(entry.item, fields.problems)).unwrap_or_default();
    fields.finish();
    let threads = usize::try_from(threads).unwrap_or(1);
    let on_worker_failure = on_worker_failure.unwrap_or_default();
    App { name, settings: Settings { commit_interval, threads, on_worker_failure }, dlq, breaker, limits, kafka }
}

fn read_name(fields: &mut Fields<'_>) -> String {
    let Some(name) = fields.text("app") else { return String::new() };
    if let Some(why) = topic_error(&name) {
        let message = format!("the app's name is the start of the names of its internal topics, and {why}");
        fields.problems.add(name.at, message, "Kafka takes the letters a to z, digits, `.`, `-` and `_`");
    }
    name.value
}

fn read_breaker(fields: &mut Fields<'_>) -> Option<Place> {
    let mut breaker = fields.table("breaker", "leave it out: failures are dead-lettered one by one")?;
    let at = breaker.at;
    breaker.number("failures", 0.0, 1.0);
    breaker.integer("calls", 1, 1_000_000);
    breaker.some_time("pause");
    breaker.finish();
    Some(at)
}

fn read_limits(fields: &mut Fields<'_>, mut limits: GuestLimits) -> GuestLimits {
    let Some(mut table) = fields.table("limits", LIMITS_HELP) else { return limits };
    if let Some(deadline) = table.some_time("deadline") {
        limits.deadline = deadline.value;
    }
    if let Some(memory) = table.size("memory") {
        limits.memory = memory.value;
    }
    if let Some(bytes) = table.size("output-bytes") {
        limits.output_bytes = bytes.value;
    }
    if let Some(bytes) = table.size("state-bytes") {
        limits.state_bytes = bytes.value;
    }
    let counts = [("outputs", &mut limits.outputs), ("state-ops", &mut limits.state_ops)];
    for (key, limit) in counts {
        let count = table.integer(key, 1, i64::from(u32::MAX));
        if let Some(count) = count.and_then(|count| usize::try_from(count.value).ok()) {
            *limit = count;
        }
    }
    table.finish();
    limits
}

fn read_kafka(item: Item, problems: &mut Problems) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    match item.value {
        Value::Table(entries) => flatten("", entries, &mut settings, problems),
        other => problems.add(item.at, format!("[kafka] must be a table, not {}", other.type_name()), KAFKA_HELP),
    }
    settings
}

/// Names with dots are nested tables to TOML, unless they are quoted.
fn flatten(prefix: &str, entries: Vec<Entry>, settings: &mut Vec<(String, String)>, problems: &mut Problems) {
    for entry in entries {
        let name = format!("{prefix}{}", entry.name);
        let value = match entry.item.value {
            Value::Text(text) => text,
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Table(inner) => {
                flatten(&format!("{name}."), inner, settings, problems);
                continue;
            }
            other => {
                let message =
                    format!("`{name}` of [kafka] must be a string, number or boolean, not {}", other.type_name());
                problems.add(entry.item.at, message, "librdkafka takes a list as a string with commas");
                continue;
            }
        };
        if let Some((_, right)) = NUMBERS.iter().find(|(number, _)| *number == name)
            && value.parse::<u32>().is_err()
        {
            problems.add(entry.item.at, format!("`{name}` of [kafka] is `{value}`"), format!("it must be {right}"));
            continue;
        }
        match OWNED.iter().find(|(owned, _)| *owned == name) {
            Some((_, reason)) => problems.add(entry.at, format!("`{name}` of [kafka] is the host's to set"), *reason),
            None => settings.push((name, value)),
        }
    }
}

/// Reads `[plugins.NAME]` of all files.
pub(super) fn read_plugins(
    entries: Vec<Entry>,
    limits: GuestLimits,
    sources: &Sources,
    problems: &mut Problems,
) -> Vec<Plugin> {
    entries.into_iter().filter_map(|entry| read_plugin(entry, limits, sources, problems)).collect()
}

fn read_plugin(entry: Entry, limits: GuestLimits, sources: &Sources, problems: &mut Problems) -> Option<Plugin> {
    let Entry { name, at, item } = entry;
    if let Some(why) = name_error(&name) {
        problems.add(at, why, "names are made of the letters a to z, digits, `-` and `_`");
    }
    let mut fields = Fields::of_item(format!("[plugins.{name}]"), item, PLUGIN_HELP, problems)?;
    let component = fields.text("component");
    let component = fields.required("component", component, "give its path: component = \"plugin.wasm\"");
    let config = fields.take("config");
    let config_at = config.as_ref().map(|entry| entry.at);
    let config = config.map_or_else(|| "{}".to_owned(), |entry| read_config(entry.item, &mut fields));
    let limits = read_limits(&mut fields, limits);
    let header = fields.at;
    fields.finish();
    let component_at = component.as_ref().map_or(header, |component| component.at);
    let path = component.map(|path| sources.folder(path.at.file).join(&path.value)).unwrap_or_default();
    Some(Plugin { at, component_at, config_at, plugin: PluginUse { name, component: path, config, limits } })
}

fn read_config(item: Item, fields: &mut Fields<'_>) -> String {
    let json = match &item.value {
        Value::Table(_) => item.value.to_json(),
        other => {
            let message = format!("config of {} must be a table, not {}", fields.title, other.type_name());
            fields.problems.add(item.at, message, "write config = { KEY = VALUE }");
            return "{}".to_owned();
        }
    };
    json.map(|json| json.to_string()).unwrap_or_else(|| {
        fields.wrong(item.at, "config", "`nan` and `inf` have no form in JSON", "leave the key out");
        "{}".to_owned()
    })
}

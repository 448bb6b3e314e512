//! Reads `[kafka]`: settings that are passed to the client unchanged.

use super::diagnostic::{Place, Problems, Sources};
use super::given::Given;
use super::tree::{Entry, Item, Value};
use super::variables;
use millrace_engine::secret::Secret;

/// Kafka settings that the host sets itself, with the reason, and other names of these: if a setting is given under two
/// names, the client applies them in no certain order.
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

/// Kafka settings that the host reads as well, with their types. The client would ignore a wrong value, or refuse it
/// without its place.
const NUMBERS: [(&str, &str); 3] = [
    ("transaction.timeout.ms", "a whole number of milliseconds, such as 10000"),
    ("message.max.bytes", "a whole number of bytes, such as 1000000"),
    ("batch.size", "a whole number of bytes, such as 1000000"),
];

/// Why a Kafka setting can't be given, if the host sets it itself.
pub fn set_by_host(name: &str) -> Option<&'static str> {
    OWNED.iter().find(|(owned, _)| *owned == name).map(|(_, reason)| *reason)
}

const BROKER: &str = "it is given on the command line: --kafka BOOTSTRAP";
const ACKS: &str = "exactly once needs all of them";
const OFFSETS: &str = "offsets are committed with the transaction";

const HELP: &str = "write a table: [kafka], and below it names and values such as \"linger.ms\" = 5";

/// A setting with the place of its name: a message must not show the value, not even its length.
#[derive(Clone, Debug)]
pub(super) struct KafkaSetting {
    pub name: String,
    pub at: Place,
    pub value: Secret,
}

/// Reads the table.
pub(super) fn read(item: Item, sources: &Sources, given: &Given<'_>, problems: &mut Problems) -> Vec<KafkaSetting> {
    let mut found = Vec::new();
    match item.value {
        Value::Table(entries) => flatten("", entries, sources, &mut found, problems),
        other => problems.add(item.at, format!("[kafka] must be a table, not {}", other.type_name()), HELP),
    }
    let settings = found.into_iter().filter_map(|(name, entry)| setting(name, entry, sources, given, problems));
    settings.collect()
}

/// In TOML, a name with dots is a nested table unless it is quoted, so a file can have a setting in two forms. A
/// setting of the command line replaces it.
fn flatten(
    prefix: &str,
    entries: Vec<Entry>,
    sources: &Sources,
    found: &mut Vec<(String, Entry)>,
    problems: &mut Problems,
) {
    for entry in entries {
        let name = format!("{prefix}{}", entry.name);
        match entry.item.value {
            Value::Table(inner) => flatten(&format!("{name}."), inner, sources, found, problems),
            _ => match found.iter_mut().find(|(before, _)| *before == name) {
                Some((_, before)) if sources.is_override(entry.at) => *before = entry,
                Some(_) => {
                    problems.add(entry.at, format!("`{name}` of [kafka] is there twice"), "leave one of them out")
                }
                None => found.push((name, entry)),
            },
        }
    }
}

fn setting(
    name: String,
    entry: Entry,
    sources: &Sources,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<KafkaSetting> {
    let at = entry.at;
    if let Some(reason) = set_by_host(&name) {
        problems.add(at, format!("`{name}` of [kafka] is the host's to set"), reason);
        return None;
    }
    let value = match entry.item.value {
        // On the command line, values are plain text.
        Value::Text(text) if sources.is_override(at) => Secret::from(text),
        Value::Text(text) => match variables::expand(&text, given.variable) {
            Ok(value) => value,
            Err(wrong) => {
                problems.add(at, format!("`{name}` of [kafka]: {}", wrong.message), wrong.help);
                return None;
            }
        },
        Value::Integer(number) => Secret::from(number.to_string()),
        Value::Float(number) => Secret::from(number.to_string()),
        Value::Bool(truth) => Secret::from(truth.to_string()),
        // It is reported already.
        Value::Broken => return None,
        other => {
            let message = format!("`{name}` of [kafka] must be a string, number or boolean, not {}", other.type_name());
            problems.add(at, message, "librdkafka takes a list as a string with commas");
            return None;
        }
    };
    check(&name, &value).map_err(|(message, help)| problems.add(at, message, help)).ok()?;
    Some(KafkaSetting { name, at, value })
}

/// # Errors
/// What is wrong with the value, and what would be right.
fn check(name: &str, value: &Secret) -> Result<(), (String, String)> {
    if name.contains('\0') || value.expose().contains('\0') {
        let message = format!("`{}` of [kafka] has a null byte in it", name.escape_debug());
        return Err((message, "librdkafka takes text without null bytes".to_owned()));
    }
    match NUMBERS.iter().find(|(number, _)| *number == name) {
        Some((_, right)) if value.expose().parse::<u32>().is_err() => {
            Err((format!("`{name}` of [kafka] can't have this value"), format!("it must be {right}")))
        }
        _ => Ok(()),
    }
}

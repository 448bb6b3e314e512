//! `--set KEY=VALUE` and `--set-file KEY=FILE`: changes the content of the files before it is read, so that overrides
//! are checked like files.

use super::diagnostic::{Place, Problems, Sources};
use super::given::Override;
use super::merge::{APP_KEYS, Merged};
use super::scalars::did_you_mean;
use super::tree::{Entry, Item, Value, read_override};

const HELP: &str =
    "KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)";

/// Each part of a key is a table in the one before.
const MOST_PARTS: usize = 64;

/// Applies all overrides in their order.
pub(super) fn apply(merged: &mut Merged, overrides: &[Override], sources: &mut Sources, problems: &mut Problems) {
    for Override { option, key, value } in overrides {
        let at = sources.add_override(option);
        // Many of Kafka's settings are passwords, which may look like TOML.
        let item = match key.starts_with("kafka.") {
            true => Item { at, value: Value::Text(value.expose().to_owned()) },
            false => read_override(at, value.expose().trim(), problems),
        };
        apply_one(merged, key, item, problems);
    }
    // Sinks may have other topics now.
    merged.name_sinks();
}

fn apply_one(merged: &mut Merged, key: &str, item: Item, problems: &mut Problems) {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    if key.split('.').any(str::is_empty) || key.split('.').count() > MOST_PARTS {
        return problems.add(item.at, format!("`{key}` is not a key"), HELP);
    }
    match rest {
        Some(rest) if first == "plugins" => set_plugin(merged, rest, item, problems),
        // Names of Kafka's settings have dots of their own.
        Some(rest) if first == "kafka" => set(&mut merged.app, &["kafka", rest], item, problems),
        _ if APP_KEYS.contains(&first) => set(&mut merged.app, &parts(key), item, problems),
        _ => set_step(merged, key, item, problems),
    }
}

fn set_plugin(merged: &mut Merged, rest: &str, item: Item, problems: &mut Problems) {
    let path = parts(rest);
    let name = path.first().copied().unwrap_or_default();
    match merged.plugins.iter().any(|plugin| plugin.name == name) {
        true if path.len() > 1 => return set(&mut merged.plugins, &path, item, problems),
        true => return problems.add(item.at, format!("`plugins.{name}` alone can't be set"), HELP),
        false => {}
    }
    let guess = did_you_mean(name, merged.plugins.iter().map(|plugin| plugin.name.as_str()));
    problems.add(item.at, format!("there is no plugin `{name}`{guess}"), HELP);
}

fn set_step(merged: &mut Merged, key: &str, item: Item, problems: &mut Problems) {
    // Of sinks, the name is made of a topic, and may have dots.
    let within = |name: &str| key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
    let found = merged.steps.iter_mut().filter(|step| !step.name.is_empty());
    let found = found.filter_map(|step| Some((within(&step.name)?, step))).max_by_key(|(_, step)| step.name.len());
    if let Some((rest, step)) = found {
        return set(&mut step.entries, &parts(&rest), item, problems);
    }
    let first = key.split('.').next().unwrap_or(key);
    let steps = merged.steps.iter().map(|step| step.name.as_str());
    let message = match key.contains('.') {
        true => format!("there is no step `{first}`{}", did_you_mean(first, steps)),
        false => format!("unknown key `{key}`{}", did_you_mean(key, APP_KEYS)),
    };
    problems.add(item.at, message, HELP);
}

fn parts(key: &str) -> Vec<&str> {
    key.split('.').collect()
}

/// Sets the value at a path, and creates the tables on the way.
fn set(entries: &mut Vec<Entry>, path: &[&str], item: Item, problems: &mut Problems) {
    let Some((first, rest)) = path.split_first() else { return };
    let at = item.at;
    let entry = match entries.iter().position(|entry| entry.name == *first) {
        Some(index) => entries.get_mut(index),
        None => {
            let empty = Item { at, value: Value::Table(Vec::new()) };
            entries.push(Entry { name: (*first).to_owned(), at, item: empty });
            entries.last_mut()
        }
    };
    let Some(entry) = entry else { return };
    match &mut entry.item.value {
        _ if rest.is_empty() => replace(entry, item, at),
        Value::Table(inner) => set(inner, rest, item, problems),
        other => {
            let message = format!("`{first}` is {}, so it has no `{}`", other.type_name(), rest.join("."));
            problems.add(at, message, HELP);
        }
    }
}

fn replace(entry: &mut Entry, item: Item, at: Place) {
    entry.at = at;
    entry.item = item;
}

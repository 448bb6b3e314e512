//! Merges the files of an app: app-wide keys, plugins and steps.

use std::collections::HashSet;

use super::diagnostic::{Place, Placed, Problems, Sources};
use super::scalars::did_you_mean;
use super::tree::{Entry, Item, Value};

/// App-wide keys besides `plugins`.
pub const APP_KEYS: [&str; 10] = [
    "app",
    "dlq",
    "commit-interval",
    "threads",
    "on-worker-failure",
    "deploy-on-start",
    "flood-guard",
    "breaker",
    "limits",
    "kafka",
];

/// The tables of steps.
pub(super) const STEP_TABLES: [&str; 12] = [
    "source",
    "table",
    "global-table",
    "transform",
    "merge",
    "join",
    "lookup",
    "table-join",
    "aggregate",
    "process",
    "dedup",
    "sink",
];

/// Those of them that read topics: several files may have the same one.
const SHARED_TABLES: [&str; 3] = ["source", "table", "global-table"];

/// The table of a step, not read yet.
#[derive(Clone, Debug)]
pub(super) struct RawStep {
    /// One of [`STEP_TABLES`].
    pub table: &'static str,
    pub at: Place,
    /// Its name, empty if it has none. For sinks, see [`Merged::name_sinks`].
    pub name: Placed<String>,
    pub entries: Vec<Entry>,
}

impl RawStep {
    fn value(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.item.value)
    }
}

/// All files of an app.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub app: Vec<Entry>,
    pub plugins: Vec<Entry>,
    /// In the order of the files.
    pub steps: Vec<RawStep>,
}

/// Merges files, each given by its top-level entries.
pub(super) fn merge(files: Vec<(usize, Vec<Entry>)>, sources: &Sources, problems: &mut Problems) -> Merged {
    let mut merged = Merged::default();
    for (file, entries) in files {
        if !entries.iter().any(|entry| entry.name == "app") {
            let others = merged.app.iter().find(|entry| entry.name == "app").and_then(|entry| text(&entry.item));
            let help = format!("say which app this is part of: app = {:?}", others.unwrap_or("orders"));
            problems.add(Place { file, start: 0, end: 0 }, "the file has no `app`", help);
        }
        for entry in entries {
            merged.add(entry, sources, problems);
        }
    }
    merged.steps.sort_by_key(|step| step.at);
    merged.name_sinks();
    merged
}

impl Merged {
    fn add(&mut self, entry: Entry, sources: &Sources, problems: &mut Problems) {
        if let Some(table) = STEP_TABLES.iter().find(|table| **table == entry.name) {
            self.add_steps(table, entry, sources, problems);
        } else if entry.name == "plugins" {
            self.add_plugins(entry, sources, problems);
        } else if APP_KEYS.contains(&entry.name.as_str()) {
            self.add_app_key(entry, sources, problems);
        } else {
            let known = APP_KEYS.iter().chain(&STEP_TABLES).copied().chain(["plugins"]);
            let message = format!("unknown key `{}`{}", entry.name, did_you_mean(&entry.name, known));
            let help =
                format!("app-wide keys are {}, plugins; steps are {}", APP_KEYS.join(", "), STEP_TABLES.join(", "));
            problems.add(entry.at, message, help);
        }
    }

    fn add_steps(&mut self, table: &'static str, entry: Entry, sources: &Sources, problems: &mut Problems) {
        let Value::List(items) = entry.item.value else {
            let message = format!("`{table}` must be a list of tables, not {}", entry.item.value.type_name());
            return problems.add(entry.item.at, message, format!("write [[{table}]] with two brackets"));
        };
        for item in items {
            let Value::Table(entries) = item.value else {
                let message = format!("`{table}` must be a list of tables, not of {}", item.value.type_name());
                problems.add(item.at, message, format!("write [[{table}]] with two brackets"));
                continue;
            };
            let name = entries.iter().find(|entry| entry.name == "name");
            let name = name.and_then(|entry| Some((entry.item.at, text(&entry.item)?)));
            let (at, value) = name.unwrap_or((item.at, ""));
            let step = RawStep { table, at: item.at, name: Placed { at, value: value.to_owned() }, entries };
            match self.shared(&step).map(|other| (other.at, differing_key(other, &step))) {
                None => self.steps.push(step),
                Some((_, None)) => {}
                Some((other, Some(key))) => {
                    let (name, place) = (&step.name.value, sources.line_of(other));
                    let message = format!("[[{table}]] `{name}` has another `{key}` than the one at {place}");
                    let help = "make all keys equal, then both are one step; or give this one another name and topic";
                    problems.add(step.name.at, message, help);
                }
            }
        }
    }

    /// The step of another file that this one is too, if both read a topic and have one name: each of the files can be run
    /// alone then, and all of them together.
    fn shared(&self, step: &RawStep) -> Option<&RawStep> {
        let reads_a_topic = |step: &RawStep| step.value("topic").is_some();
        let is_same = |other: &&RawStep| {
            other.table == step.table
                && other.at.file != step.at.file
                && other.name.value == step.name.value
                && reads_a_topic(other)
        };
        let may_be = SHARED_TABLES.contains(&step.table) && !step.name.value.is_empty() && reads_a_topic(step);
        self.steps.iter().find(is_same).filter(|_| may_be)
    }

    fn add_plugins(&mut self, entry: Entry, sources: &Sources, problems: &mut Problems) {
        let Value::Table(plugins) = entry.item.value else {
            let message = format!("`plugins` must be a table, not {}", entry.item.value.type_name());
            return problems.add(entry.item.at, message, "write [plugins.NAME]");
        };
        for plugin in plugins {
            match self.plugins.iter().find(|other| other.name == plugin.name) {
                Some(other) => problems.add(
                    plugin.at,
                    format!("the plugin `{}` is there already: {}", plugin.name, sources.line_of(other.at)),
                    "name each plugin in one of the app's files only; every file can call it",
                ),
                None => self.plugins.push(plugin),
            }
        }
    }

    /// A sink has no name in the file: it is called after its topic.
    pub fn name_sinks(&mut self) {
        let named = self.steps.iter().filter(|step| step.table != "sink");
        let mut taken: HashSet<String> = named.map(|step| step.name.value.clone()).collect();
        for step in self.steps.iter_mut().filter(|step| step.table == "sink") {
            let topic = step.entries.iter().find(|entry| entry.name == "topic").and_then(|entry| text(&entry.item));
            let base = format!("sink-{}", topic.unwrap_or_default());
            let numbered = (2..).map(|number| format!("{base}-{number}"));
            let name = [base.clone()].into_iter().chain(numbered).find(|name| !taken.contains(name)).unwrap_or(base);
            taken.insert(name.clone());
            step.name = Placed { at: step.at, value: name };
        }
    }

    fn add_app_key(&mut self, entry: Entry, sources: &Sources, problems: &mut Problems) {
        let Some(other) = self.app.iter_mut().find(|other| other.name == entry.name) else {
            return self.app.push(entry);
        };
        if !other.item.value.says_the_same(&entry.item.value) {
            let message = format!("`{}` differs from {}", entry.name, sources.line_of(other.at));
            let help = match entry.name.as_str() {
                "app" => "files that are run together are one app; run two apps apart",
                _ => "it counts for the whole app: say it in one file, or the same in all",
            };
            problems.add(entry.item.at, message, help);
        }
    }
}

/// The first key that isn't the same in both.
fn differing_key(one: &RawStep, other: &RawStep) -> Option<String> {
    let names = one.entries.iter().chain(&other.entries).map(|entry| &entry.name);
    let differs = |name: &&String| match (one.value(name), other.value(name)) {
        (Some(one), Some(other)) => !one.says_the_same(other),
        _ => true,
    };
    names.into_iter().find(differs).cloned()
}

pub(super) fn text(item: &Item) -> Option<&str> {
    match &item.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

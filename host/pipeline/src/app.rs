//! Reads the app-wide settings and the plugins.

use std::time::Duration;

use super::config_keys::config_keys;
use super::diagnostic::{Place, Placed, Problems, Sources};
use super::fields::Fields;
use super::given::Given;
use super::kafka::{self, KafkaSetting};
use super::model::Plugin;
use super::scalars::{name_error, topic_error};
use super::tree::{Entry, Item, Value};
use millrace_engine::canary::ALL;
use millrace_engine::topology::{DeployOnStart, FloodLimits, GuestLimits, OnWorkerFailure, PluginUse, Settings};

const LIMITS_HELP: &str = "write limits = { deadline = \"1s\", memory = \"64MiB\" }, or a table of its own";
const PLUGIN_HELP: &str = "write [plugins.NAME], and below it component = \"plugin.wasm\"";
const ON_WORKER_FAILURE: [(&str, OnWorkerFailure); 2] =
    [("replace", OnWorkerFailure::Replace), ("stop", OnWorkerFailure::Stop)];

const DEPLOY_ON_START: [(&str, DeployOnStart); 3] =
    [("new", DeployOnStart::New), ("always", DeployOnStart::Always), ("never", DeployOnStart::Never)];

/// The app-wide part of a pipeline.
pub(super) struct App {
    pub name: String,
    pub settings: Settings,
    pub dlq: Option<Placed<String>>,
    pub breaker: Option<Place>,
    pub limits: GuestLimits,
    pub kafka: Vec<KafkaSetting>,
}

/// Reads the app-wide keys.
pub(super) fn read_app(entries: Vec<Entry>, sources: &Sources, given: &Given<'_>, problems: &mut Problems) -> App {
    let mut fields = Fields::new("the app", Place::default(), entries, problems);
    let name = read_name(&mut fields);
    let dlq = fields.topic("dlq");
    let commit_interval = fields.some_time("commit-interval").map_or(Duration::from_millis(100), |time| time.value);
    let threads = fields.integer("threads", 1, 1024).map_or(1, |number| number.value);
    let on_worker_failure = fields.choice("on-worker-failure", &ON_WORKER_FAILURE).map(|choice| choice.value);
    let deploy_on_start = fields.choice("deploy-on-start", &DEPLOY_ON_START).map(|choice| choice.value);
    let flood_guard = read_flood_guard(&mut fields);
    let breaker = read_breaker(&mut fields);
    let limits = read_limits(&mut fields, GuestLimits::default());
    let kafka = fields.take("kafka").map(|entry| kafka::read(entry.item, sources, given, fields.problems));
    let kafka = kafka.unwrap_or_default();
    fields.finish();
    let threads = usize::try_from(threads).unwrap_or(1);
    let on_worker_failure = on_worker_failure.unwrap_or_default();
    let deploy_on_start = deploy_on_start.unwrap_or_default();
    let settings = Settings { commit_interval, threads, on_worker_failure, deploy_on_start, flood_guard };
    App { name, settings, dlq, breaker, limits, kafka }
}

fn read_name(fields: &mut Fields<'_>) -> String {
    let Some(name) = fields.text("app") else { return String::new() };
    if let Some(why) = topic_error(&name) {
        let message = format!("the app's name is the start of the names of its internal topics, and {why}");
        fields.problems.add(name.at, message, "Kafka takes the letters a to z, digits, `.`, `-` and `_`");
    }
    name.value
}

/// A share of 0 switches it off.
fn read_flood_guard(fields: &mut Fields<'_>) -> Option<FloodLimits> {
    let mut limits = FloodLimits::default();
    let help = "write flood-guard = { share = 0.2, records = 1000 }, or { share = 0 } without one";
    let Some(mut guard) = fields.table("flood-guard", help) else { return Some(limits) };
    if let Some(share) = guard.number("share", 0.0, 1.0) {
        limits.share = (share.value * f64::from(ALL)).ceil() as u32;
    }
    if let Some(records) = guard.integer("records", 1, i64::from(u32::MAX)) {
        limits.records = records.value.unsigned_abs();
    }
    guard.finish();
    (limits.share > 0).then_some(limits)
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
    let config_keys = config.as_ref().map(|entry| config_keys(&entry.item.value)).unwrap_or_default();
    let config = config.map_or_else(|| "{}".to_owned(), |entry| read_config(entry.item, &mut fields));
    let limits = read_limits(&mut fields, limits);
    let header = fields.at;
    fields.finish();
    let component_at = component.as_ref().map_or(header, |component| component.at);
    let path = component.map(|path| sources.folder(path.at.file).join(&path.value)).unwrap_or_default();
    let plugin = PluginUse { name, component: path, config, limits };
    Some(Plugin { at, component_at, config_at, config_keys, plugin })
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

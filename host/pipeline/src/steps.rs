//! Reads the tables of steps.

use super::diagnostic::{Place, Placed, Problems};
use super::fields::Fields;
use super::merge::{RawStep, text};
use super::model::{CallName, CommonFields, Input, JoinBounds, JoinSides, ReadTopic, Step, StepKind, TableOf, title};
use super::scalars::name_error;
use super::tree::Value;
use super::windows;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::topology::{Ahead, Identity, JoinKind, OnAhead, OnDrop, OnError, SinkKey, ValueCodec};

const KEYS: [(&str, KeyCodec); 3] = [("bytes", KeyCodec::Bytes), ("string", KeyCodec::String), ("i64", KeyCodec::I64)];
const VALUES: [(&str, ValueCodec); 2] = [("json", ValueCodec::Json), ("bytes", ValueCodec::Bytes)];
const DROPS: [(&str, OnDrop); 2] = [("drop", OnDrop::Drop), ("dead-letter", OnDrop::DeadLetter)];

/// Whether null results of an aggregate are dropped.
const NULL_RESULTS: [(&str, bool); 2] = [("emit", false), ("drop", true)];
/// None: as they are.
const AHEADS: [(&str, Option<OnAhead>); 3] =
    [("accept", None), ("clamp", Some(OnAhead::Clamp)), ("dead-letter", Some(OnAhead::DeadLetter))];
const ERRORS: [(&str, OnError); 3] =
    [("dead-letter", OnError::DeadLetter), ("skip", OnError::Skip), ("fail", OnError::Fail)];
const JOINS: [(&str, JoinKind); 3] = [("inner", JoinKind::Inner), ("left", JoinKind::Left), ("outer", JoinKind::Outer)];
const LOOKUPS: [(&str, JoinKind); 2] = [("inner", JoinKind::Inner), ("left", JoinKind::Left)];
const SINK_KEYS: [(&str, SinkKey); 2] = [("plain", SinkKey::Plain), ("windowed", SinkKey::Windowed)];

const FROM_HELP: &str = "name a step, or one of its ports: \"step\" or \"step.port\"";
const CALL_HELP: &str = "name a function of a plugin: call = \"plugin.function\"";

/// Reads one step.
pub(super) fn read_step(raw: RawStep, problems: &mut Problems) -> Step {
    let RawStep { table, at, name, entries } = raw;
    let topic = entries.iter().find(|entry| entry.name == "topic").and_then(|entry| text(&entry.item));
    let title = title(table, &name, topic.unwrap_or_default());
    let mut fields = Fields::new(title, at, entries, problems);
    if table != "sink" {
        let own = fields.name("name");
        fields.required("name", own, "give it a name, for other steps to refer to");
    }
    let kind = read_kind(table, &mut fields);
    let common = read_common(&kind, &mut fields);
    fields.finish();
    Step { at, name_at: name.at, name: name.value, kind, common }
}

fn read_kind(table: &str, fields: &mut Fields<'_>) -> StepKind {
    match table {
        "source" => read_source(fields),
        "table" => StepKind::Table { of: read_table(fields) },
        "global-table" => StepKind::GlobalTable { of: read_global_table(fields) },
        "transform" => StepKind::Transform { from: inputs(fields, true), call: call(fields) },
        "merge" => StepKind::Merge { from: inputs(fields, false) },
        "join" => read_join(fields),
        "lookup" => read_lookup(fields),
        "table-join" => {
            let sides = JoinSides { left: input(fields, "left"), right: input(fields, "right") };
            StepKind::TableJoin { sides, kind: join_kind(fields, &JOINS), call: call(fields) }
        }
        "aggregate" => {
            let (from, call) = (input(fields, "from"), call(fields));
            let (windows, emit) = windows::read(fields);
            let drops_nulls = fields.choice("on-null-result", &NULL_RESULTS).is_some_and(|word| word.value);
            StepKind::Aggregate { from, call, windows, emit, drops_nulls }
        }
        "process" => StepKind::Process { from: inputs(fields, true), call: call(fields) },
        "dedup" => read_dedup(fields),
        _ => read_sink(fields),
    }
}

fn read_common(kind: &StepKind, fields: &mut Fields<'_>) -> CommonFields {
    CommonFields {
        on_error: fields.choice("on-error", &ERRORS).map(|word| word.value).unwrap_or_default(),
        on_late: read_late(kind, fields),
        on_null_key: fields.choice("on-null-key", &DROPS).map(|word| word.value).unwrap_or_default(),
        dlq: fields.topic("dlq"),
        retry: read_retry(fields),
    }
}

/// `on-late`, of steps that can have late records. A window that is there and wrong is reported by itself.
fn read_late(kind: &StepKind, fields: &mut Fields<'_>) -> Option<Placed<OnDrop>> {
    if kind.can_be_late() || fields.given("window") {
        return fields.choice("on-late", &DROPS);
    }
    let entry = fields.misplaced("on-late")?;
    let help = "leave it out: it is for [[join]], [[dedup]] and [[aggregate]] with a window";
    fields.wrong(entry.at, "on-late", "no record is late for it", help);
    None
}

fn read_retry(fields: &mut Fields<'_>) -> Option<Place> {
    let item = fields.take("retry")?.item;
    let at = item.at;
    // Of another shape there is nothing to check: it is refused as a whole.
    let Value::Table(entries) = item.value else { return Some(at) };
    let mut retry = Fields::new(format!("retry of {}", fields.title), at, entries, fields.problems);
    retry.integer("attempts", 1, 1_000_000);
    retry.duration("delay");
    retry.number("factor", 1.0, 1000.0);
    retry.finish();
    Some(at)
}

fn read_source(fields: &mut Fields<'_>) -> StepKind {
    let topic = fields.topic("topic");
    let topic = fields.required("topic", topic, "say what it reads: topic = \"payment-orders\"");
    let read = read_topic(fields, topic);
    let timestamp = fields.text("timestamp").and_then(|text| match text.split_once(':') {
        None if *text == "record" => None,
        Some(("field", name)) if !name.is_empty() => Some(name.to_owned()),
        _ => {
            let why = format!("`{}` is not known", *text);
            fields.wrong(text.at, "timestamp", why, "it can be \"record\" or \"field:NAME\"");
            None
        }
    });
    let on_bad_time = fields.choice("on-bad-time", &DROPS).map(|word| word.value).unwrap_or_default();
    let ahead = read_ahead(fields);
    let validate = fields.text("validate").and_then(|text| call_name(fields, "validate", text));
    StepKind::Source { read, timestamp, on_bad_time, ahead, validate }
}

fn read_ahead(fields: &mut Fields<'_>) -> Option<Ahead> {
    const HELP: &str = "say how far ahead of the clock a timestamp may be: max-ahead = \"1h\"";
    let limit = fields.duration("max-ahead");
    let then = fields.choice("on-ahead", &AHEADS);
    match (limit, then) {
        (Some(limit), then) => {
            let then = then.map_or(Some(OnAhead::DeadLetter), |then| then.value)?;
            Some(Ahead { limit: windows::milliseconds(limit.value), then })
        }
        (None, Some(then)) if then.value.is_some() => {
            fields.missing("max-ahead", HELP);
            None
        }
        _ => None,
    }
}

fn read_topic(fields: &mut Fields<'_>, topic: Option<Placed<String>>) -> Option<ReadTopic> {
    let key = fields.choice("key", &KEYS).map(|word| word.value).unwrap_or_default();
    let value = fields.choice("value", &VALUES).map(|word| word.value).unwrap_or_default();
    let partitions = fields.integer("partitions", 1, 100_000).and_then(|number| u32::try_from(number.value).ok());
    topic.map(|topic| ReadTopic { topic, key, value, partitions })
}

fn read_table(fields: &mut Fields<'_>) -> Option<TableOf> {
    const HELP: &str = "a table is kept of a topic (topic = \"...\", key = \"...\") or of a step (from = \"...\")";
    let from = fields.text("from");
    let topic = fields.topic("topic");
    match (from, topic) {
        (Some(from), None) => {
            for key in ["key", "value", "partitions"] {
                if let Some(entry) = fields.misplaced(key) {
                    fields.wrong(entry.at, key, "it is that of the step", "leave it out: it is for tables of a topic");
                }
            }
            input_name(fields, "from", from).map(TableOf::Step)
        }
        (None, Some(topic)) => read_topic(fields, Some(topic)).map(TableOf::Topic),
        (Some(from), Some(_)) => {
            read_topic(fields, None);
            fields.wrong(from.at, "from", "there is a `topic` too", HELP);
            None
        }
        (None, None) => {
            read_topic(fields, None);
            fields.missing("topic", HELP);
            None
        }
    }
}

/// Every instance reads the whole topic, so the table can't be of a step, whose records are spread over the instances.
fn read_global_table(fields: &mut Fields<'_>) -> Option<TableOf> {
    let of = read_table(fields);
    if let Some(TableOf::Step(from)) = &of {
        let help = "write the step's records to a topic with a [[sink]], and name that topic here";
        fields.wrong(from.at, "from", "a global table is kept of a topic", help);
        return None;
    }
    of
}

fn read_join(fields: &mut Fields<'_>) -> StepKind {
    let sides = JoinSides { left: input(fields, "left"), right: input(fields, "right") };
    let kind = join_kind(fields, &JOINS);
    let bounds = read_bounds(fields);
    StepKind::Join { sides, kind, bounds, call: call(fields) }
}

fn read_bounds(fields: &mut Fields<'_>) -> Option<JoinBounds> {
    const HELP: &str = "say within = \"10s\" for both directions, or before = \"10s\" and after = \"0s\"";
    let (within, before, after) = (fields.duration("within"), fields.duration("before"), fields.duration("after"));
    let grace = fields.duration("grace").map(|time| time.value).unwrap_or_default();
    let one_sided = fields.given("before") || fields.given("after");
    if fields.given("within") && one_sided {
        fields.problems.add(fields.at, format!("{} has `within` and also `before` or `after`", fields.title), HELP);
        return None;
    }
    if !one_sided {
        let within = fields.required("within", within, HELP)?;
        return Some(JoinBounds { before: within.value, after: within.value, grace });
    }
    let (before, after) = (fields.required("before", before, HELP), fields.required("after", after, HELP));
    Some(JoinBounds { before: before?.value, after: after?.value, grace })
}

fn read_lookup(fields: &mut Fields<'_>) -> StepKind {
    StepKind::Lookup {
        stream: input(fields, "stream"),
        table: input(fields, "table"),
        kind: join_kind(fields, &LOOKUPS),
        call: call(fields),
    }
}

fn read_dedup(fields: &mut Fields<'_>) -> StepKind {
    const HELP: &str =
        "list headers and fields, the first that is there counts: by = [\"header:NAME\", \"field:NAME\"]";
    let from = input(fields, "from");
    let by = fields.texts("by", false);
    let mut identities = Vec::new();
    for text in fields.required("by", by, HELP).unwrap_or_default() {
        match text.split_once(':').filter(|(_, name)| !name.is_empty()) {
            Some(("header", name)) => identities.push(Identity::Header(name.to_owned())),
            Some(("field", name)) => identities.push(Identity::Field(name.to_owned())),
            _ => fields.wrong(text.at, "by", format!("`{}` is neither", *text), HELP),
        }
    }
    let within = fields.some_time("within");
    let within = fields.required("within", within, "say how long a duplicate is known as one: within = \"1d\"");
    StepKind::Dedup { from, by: identities, within: within.map(|within| within.value) }
}

fn read_sink(fields: &mut Fields<'_>) -> StepKind {
    let from = input(fields, "from");
    let topic = fields.topic("topic");
    let topic = fields.required("topic", topic, "say what it writes: topic = \"orders\"");
    let plain = Placed { at: fields.at, value: SinkKey::Plain };
    StepKind::Sink { from, topic, key: fields.choice("key", &SINK_KEYS).unwrap_or(plain) }
}

fn join_kind(fields: &mut Fields<'_>, kinds: &[(&'static str, JoinKind)]) -> Placed<JoinKind> {
    let inner = Placed { at: fields.at, value: JoinKind::Inner };
    fields.choice("kind", kinds).unwrap_or(inner)
}

fn call(fields: &mut Fields<'_>) -> Option<Placed<CallName>> {
    let text = fields.text("call");
    let text = fields.required("call", text, CALL_HELP)?;
    call_name(fields, "call", text)
}

fn call_name(fields: &mut Fields<'_>, key: &str, text: Placed<String>) -> Option<Placed<CallName>> {
    let name = text.split_once('.').filter(|(plugin, function)| !plugin.is_empty() && !function.is_empty());
    let Some((plugin, function)) = name else {
        fields.wrong(text.at, key, format!("`{}` is not plugin.function", *text), CALL_HELP);
        return None;
    };
    let value = CallName { plugin: plugin.to_owned(), function: function.to_owned() };
    Some(Placed { at: text.at, value })
}

fn input(fields: &mut Fields<'_>, key: &'static str) -> Option<Placed<Input>> {
    let text = fields.text(key);
    let text = fields.required(key, text, FROM_HELP)?;
    input_name(fields, key, text)
}

/// `from` with one or several steps.
fn inputs(fields: &mut Fields<'_>, or_one: bool) -> Vec<Placed<Input>> {
    let texts = fields.texts("from", or_one);
    let help = if or_one { FROM_HELP } else { "name the steps to merge: from = [\"one\", \"other\"]" };
    let texts = fields.required("from", texts, help).unwrap_or_default();
    let mut inputs: Vec<Placed<Input>> = Vec::new();
    for text in texts {
        let Some(input) = input_name(fields, "from", text) else { continue };
        if inputs.iter().any(|other| other.value == input.value) {
            fields.wrong(input.at, "from", format!("`{}` is named twice", input.value), "name it once");
        } else {
            inputs.push(input);
        }
    }
    inputs
}

fn input_name(fields: &mut Fields<'_>, key: &str, text: Placed<String>) -> Option<Placed<Input>> {
    let (step, port) = text.split_once('.').map_or((text.as_str(), None), |(step, port)| (step, Some(port)));
    if name_error(step).is_some() || port.is_some_and(str::is_empty) {
        fields.wrong(text.at, key, format!("`{}` is neither a step nor step.port", *text), FROM_HELP);
        return None;
    }
    let value = Input { step: step.to_owned(), port: port.map(str::to_owned) };
    Some(Placed { at: text.at, value })
}

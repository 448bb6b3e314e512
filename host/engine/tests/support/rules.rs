//! Rules in Rust, in place of guests. A value that contains `trap` traps, with or without the index of the record; `fail`,
//! `retry` and `skip` have these outcomes; `clear` deletes the state of an aggregate. A missing side of a join is `~`.
//! `many` turns `7x100` into seven outputs of a hundred bytes, and `lengths` emits the lengths of both sides.

use std::collections::BTreeMap;

use super::alarms;
use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::manifest::{FunctionManifest, KeyCodec, Manifest, Port, Role, StoreManifest};
use millrace_engine::ports::{
    Attempt, CallError, Called, Change, Due, Effect, Failure, FailureClass, Fault, Field, FunctionId, Group, Grouped,
    Message, Mode, Outcome, Output, Pair, Stored,
};
use millrace_engine::state::ProcessScope;
use millrace_engine::topology::Topology;

/// Name, role, ports (`!` changes the key), stores.
const FUNCTIONS: [(&str, Role, &[&str], &[&str]); 13] = [
    ("upper", Role::Transform, &["out"], &[]),
    ("twice", Role::Transform, &["out"], &[]),
    ("size", Role::Transform, &["small", "large"], &[]),
    ("rekey", Role::Transform, &["out!"], &[]),
    ("check", Role::Transform, &["out"], &[]),
    ("cat", Role::Join, &["out"], &[]),
    ("append", Role::Aggregate, &["out"], &["state"]),
    ("number", Role::Process, &["out"], &["numbers"]),
    ("keys", Role::Process, &["out"], &["seen"]),
    ("alarm", Role::Process, &["out"], &["fired"]),
    ("many", Role::Transform, &["out"], &[]),
    ("deal", Role::Transform, &["left!", "right!"], &[]),
    ("lengths", Role::Join, &["out"], &[]),
];

/// The manifest of plugin `t`.
pub fn manifests() -> BTreeMap<String, Manifest> {
    let functions = FUNCTIONS.iter().map(|(name, role, ports, stores)| FunctionManifest {
        name: (*name).into(),
        role: *role,
        ports: ports
            .iter()
            .map(|port| Port { name: port.trim_end_matches('!').into(), changes_key: port.ends_with('!') })
            .collect(),
        key: KeyCodec::Bytes,
        wants_headers: false,
        stores: stores
            .iter()
            .map(|name| StoreManifest { name: (*name).into(), reads: vec![1, 2], writes: vec![1, 2], queryable: false })
            .collect(),
        timers: *name == "alarm",
        subtracts: *role == Role::Aggregate,
        merges: *role == Role::Aggregate,
        codes: vec![],
    });
    let manifest = Manifest {
        name: "t".into(),
        version: "1".into(),
        functions: functions.collect(),
        config_schema: String::new(),
    };
    [("t".to_owned(), manifest)].into()
}

pub struct Rules {
    /// Number of calls: every other trap has no index of its record.
    calls: usize,
}

impl Rules {
    pub fn new(_: &Topology) -> Self {
        Self { calls: 0 }
    }

    fn name(function: FunctionId) -> &'static str {
        FUNCTIONS[function.function as usize].0
    }

    fn trap(&mut self, at: usize) -> CallError {
        self.calls += 1;
        let at = (!self.calls.is_multiple_of(2)).then_some(at);
        CallError::Guest { fault: Fault::Trap, at, text: "unreachable".into() }
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or("~".into(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn ordered(value: &str) -> Option<Outcome> {
    let fail = |class| Outcome::Fail(Failure { class, code: "bad".into(), text: value.into() });
    match value {
        value if value.contains("fail") => Some(fail(FailureClass::Permanent)),
        value if value.contains("retry") => Some(fail(FailureClass::Transient)),
        value if value.contains("skip") => Some(Outcome::Skip("unwanted".into())),
        _ => None,
    }
}

fn value(value: impl Into<Bytes>) -> Output {
    Output { port: 0, key: Field::Inherit, value: Field::Bytes(value.into()), timestamp: None, headers: None }
}

fn transformed(name: &str, message: &Message<'_>) -> Outcome {
    let v = text(message.value);
    if let Some(outcome) = ordered(&v) {
        return outcome;
    }
    Outcome::Outputs(match name {
        "many" => {
            let (outputs, bytes) = v.split_once('x').unwrap_or(("1", "1"));
            let mut text = v.clone().into_bytes();
            text.resize(bytes.parse::<usize>().unwrap_or(1).max(text.len()), b' ');
            (0..outputs.parse().unwrap_or(1)).map(|_| value(text.clone())).collect()
        }
        "upper" => vec![value(v.to_uppercase())],
        "twice" => vec![value(format!("{v}.1")), value(format!("{v}.2"))],
        "size" | "deal" => vec![Output { port: u32::from(v.len() > 2), ..value(v) }],
        "rekey" => vec![Output { key: Field::Bytes(Bytes::from(v.chars().take(1).collect::<String>())), ..value(v) }],
        _ => vec![Output { value: Field::Inherit, ..value("") }],
    })
}

impl Logic for Rules {
    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        _: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let traps = |message: &Message<'_>| Self::name(function) != "rekey" && text(message.value).contains("trap");
        if let Some(at) = messages.iter().position(traps) {
            return Err(self.trap(at));
        }
        let result = messages.iter().map(|message| transformed(Self::name(function), message)).collect();
        let effects = messages.iter().map(|_| Effect::Count { name: "seen".into(), n: 1 }).collect();
        Ok(Called { result, effects })
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        _: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        if Self::name(function) == "lengths" {
            let length = |side: Option<Message<'_>>| side.and_then(|side| side.value).map_or(0, <[u8]>::len);
            let both = |pair: &Pair<'_>| value(format!("{}+{}", length(pair.left), length(pair.right)));
            return Ok(Called {
                result: pairs.iter().map(|pair| Outcome::Outputs(vec![both(pair)])).collect(),
                effects: vec![],
            });
        }
        let both = |pair: &Pair<'_>| {
            let side = |side: Option<Message<'_>>| text(side.and_then(|message| message.value));
            format!("{}+{}", side(pair.left), side(pair.right))
        };
        if let Some(at) = pairs.iter().position(|pair| both(pair).contains("trap")) {
            return Err(self.trap(at));
        }
        let outcome = |pair| {
            let both = both(pair);
            ordered(&both).unwrap_or_else(|| Outcome::Outputs(vec![value(both)]))
        };
        Ok(Called { result: pairs.iter().map(outcome).collect(), effects: vec![] })
    }

    fn aggregate(
        &mut self,
        _: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        _: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        let entries = groups.iter().flat_map(|group| &group.entries);
        if let Some(at) = entries.clone().position(|(_, message)| text(message.value).contains("trap")) {
            return Err(self.trap(at));
        }
        let effects = entries.map(|_| Effect::Count { name: "entries".into(), n: 1 }).collect();
        let grouped = |group: &Group<'_>| grouped(group, mode);
        Ok(Called { result: groups.iter().map(grouped).collect(), effects })
    }

    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        mut scope: ProcessScope,
        _: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        let (key, v) = (message.key.unwrap_or_default(), text(message.value));
        let outcome = match Self::name(function) {
            "number" => number(&mut scope, key, &v),
            "alarm" => alarms::on_record(&mut scope, &v),
            _ => seen(&mut scope, key, &v),
        };
        // Fails after the writes, which must be undone.
        if v.contains("trap") {
            return (Err(self.trap(0)), scope);
        }
        (Ok(Called { result: ordered(&v).unwrap_or(outcome), effects: vec![] }), scope)
    }

    fn on_timer(
        &mut self,
        _: FunctionId,
        due: Due<'_>,
        mut scope: ProcessScope,
        _: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        let outcome = alarms::on_timer(&mut scope, due);
        // Fails after the writes, which must be undone.
        if due.name.starts_with("boom") {
            return (Err(self.trap(0)), scope);
        }
        (Ok(Called { result: outcome, effects: vec![] }), scope)
    }

    /// The rules have one version of each state.
    fn rewrite(
        &mut self,
        _: FunctionId,
        _: usize,
        values: &[Stored],
        _: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        Ok(Called { result: values.iter().cloned().map(Ok).collect(), effects: vec![] })
    }
}

/// Joins absorbed states with `|`, and appends each value after a comma, null as a word.
fn grouped(group: &Group<'_>, mode: Mode) -> Grouped {
    assert!(group.state.is_none() || group.absorbed.is_empty(), "merging begins with a new state");
    let bytes = |stored: &Stored| text(Some(&stored.bytes));
    let base = group.state.as_ref().map(bytes);
    let merged = |merged: String, state: &Stored| merged + "|" + &bytes(state);
    let mut state = group.absorbed.iter().fold(base.clone().unwrap_or_default(), merged);
    let mut is_kept = base.is_some();
    let (mut outcomes, mut deleted_after) = (Vec::new(), Vec::new());
    for (index, (change, message)) in group.entries.iter().enumerate() {
        let v = message.value.map_or("null".into(), |value| text(Some(value)));
        outcomes.push(ordered(&v).unwrap_or_else(|| {
            if *change == Change::Subtract {
                state = state.replacen(&format!(",{v}"), "", 1);
                is_kept = !state.is_empty();
                if !is_kept {
                    deleted_after.push(index);
                }
                return Outcome::Outputs(vec![value(if is_kept { state.clone() } else { "none".into() })]);
            }
            is_kept = !v.contains("clear");
            if !is_kept {
                state.clear();
                deleted_after.push(index);
                return Outcome::Outputs(vec![value("gone")]);
            }
            state += &format!(",{v}");
            Outcome::Outputs(vec![value(state.clone())])
        }));
    }
    let result = (mode == Mode::Last).then(|| Bytes::from(state.clone()));
    let state = is_kept.then(|| Stored { version: 1, bytes: state.into() });
    Grouped { state, value: result, outcomes, deleted_after }
}

/// Numbers the records of each key.
fn number(scope: &mut ProcessScope, key: &[u8], v: &str) -> Outcome {
    let last = scope.get(0, key).unwrap().map_or(0, |stored| text(Some(&stored.bytes)).parse::<u64>().unwrap());
    let next = (last + 1).to_string();
    scope.put(0, Bytes::copy_from_slice(key), Stored { version: 1, bytes: next.clone().into() });
    Outcome::Outputs(vec![value(format!("{v}#{next}"))])
}

/// Stores values as keys, deletes those that start with `del`, and emits all keys, in pages of one.
fn seen(scope: &mut ProcessScope, key: &[u8], v: &str) -> Outcome {
    let own = [key, b"/", v.trim_start_matches("del").as_bytes()].concat();
    match v.starts_with("del") {
        true => scope.delete(0, own.into()),
        false => scope.put(0, own.into(), Stored { version: 1, bytes: Bytes::new() }),
    }
    let (mut from, mut all) = (Bytes::new(), Vec::new());
    loop {
        let page = scope.range(0, &from, Some(b"zz"), 1).unwrap();
        all.extend(page.items.iter().map(|(key, _)| text(Some(key))));
        match page.next {
            Some(next) => from = next,
            None => return Outcome::Outputs(vec![value(all.join("|"))]),
        }
    }
}

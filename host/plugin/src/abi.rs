//! The contract `millrace:plugin@0.1.0` in Rust: the types of `wit/0.1.0`, field for field.
//!
//! Written by hand instead of by `bindgen!`, because a component exports only the roles it has and the same types serve
//! all of them. Nothing can drift apart unseen: wasmtime compares names and types with those of the component when it
//! is loaded.

mod meta;

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lift, Lower};

pub(crate) use meta::{Function, KeyCodec, Manifest, Role, Store, WriteVersion};

/// The version of the contract that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// The package of the contract, without its version.
pub(crate) const PACKAGE: &str = "millrace:plugin/";

/// The full name of an interface of the contract.
pub(crate) fn interface(name: &str) -> String {
    format!("{PACKAGE}{name}@{CONTRACT_VERSION}")
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Span {
    #[component(name = "start")]
    pub start: u32,
    #[component(name = "length")]
    pub length: u32,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Window {
    #[component(name = "start")]
    pub start: i64,
    #[component(name = "end")]
    pub end: i64,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Header {
    #[component(name = "name")]
    pub name: Span,
    #[component(name = "value")]
    pub value: Option<Span>,
}

#[derive(Clone, Copy, Debug, Default, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct HeaderRun {
    #[component(name = "first")]
    pub first: u32,
    #[component(name = "count")]
    pub count: u32,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Message {
    #[component(name = "input")]
    pub input: Span,
    #[component(name = "key")]
    pub key: Option<Span>,
    #[component(name = "value")]
    pub value: Option<Span>,
    #[component(name = "timestamp")]
    pub timestamp: i64,
    #[component(name = "headers")]
    pub headers: HeaderRun,
    #[component(name = "window")]
    pub window: Option<Window>,
}

#[derive(Clone, Debug, Default, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Payload {
    #[component(name = "arena")]
    pub arena: Vec<u8>,
    #[component(name = "headers")]
    pub headers: Vec<Header>,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Pair {
    #[component(name = "key")]
    pub key: Option<Span>,
    #[component(name = "left")]
    pub left: Option<Message>,
    #[component(name = "right")]
    pub right: Option<Message>,
    #[component(name = "timestamp")]
    pub timestamp: i64,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Stored {
    #[component(name = "version")]
    pub version: u32,
    #[component(name = "bytes")]
    pub bytes: Span,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Change {
    #[component(name = "add")]
    Add,
    #[component(name = "subtract")]
    Subtract,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Entry {
    #[component(name = "change")]
    pub change: Change,
    #[component(name = "message")]
    pub message: Message,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Group {
    #[component(name = "key")]
    pub key: Span,
    #[component(name = "window")]
    pub window: Option<Window>,
    #[component(name = "state")]
    pub state: Option<Stored>,
    #[component(name = "absorbed")]
    pub absorbed: u32,
    #[component(name = "entries")]
    pub entries: u32,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Mode {
    #[component(name = "each")]
    Each,
    #[component(name = "last")]
    Last,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum NewKey {
    #[component(name = "inherit")]
    Inherit,
    #[component(name = "null")]
    Null,
    #[component(name = "bytes")]
    Bytes(Span),
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum NewValue {
    #[component(name = "inherit")]
    Inherit,
    #[component(name = "tombstone")]
    Tombstone,
    #[component(name = "bytes")]
    Bytes(Span),
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Output {
    #[component(name = "port")]
    pub port: u32,
    #[component(name = "key")]
    pub key: NewKey,
    #[component(name = "value")]
    pub value: NewValue,
    #[component(name = "timestamp")]
    pub timestamp: Option<i64>,
    #[component(name = "headers")]
    pub headers: Option<HeaderRun>,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made from what a guest says, by the code that wasmtime derives")]
pub(crate) enum FailureClass {
    #[component(name = "permanent")]
    Permanent,
    #[component(name = "transient")]
    Transient,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Failure {
    #[component(name = "class")]
    pub class: FailureClass,
    #[component(name = "code")]
    pub code: Span,
    #[component(name = "text")]
    pub text: Span,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Outcome {
    #[component(name = "outputs")]
    Outputs(u32),
    #[component(name = "skip")]
    Skip(Span),
    #[component(name = "fail")]
    Fail(Failure),
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Reply {
    #[component(name = "arena")]
    pub arena: Vec<u8>,
    #[component(name = "headers")]
    pub headers: Vec<Header>,
    #[component(name = "outputs")]
    pub outputs: Vec<Output>,
    #[component(name = "outcomes")]
    pub outcomes: Vec<Outcome>,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Grouped {
    #[component(name = "state")]
    pub state: Option<Stored>,
    #[component(name = "value")]
    pub value: Option<Span>,
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Aggregated {
    #[component(name = "reply")]
    pub reply: Reply,
    #[component(name = "groups")]
    pub groups: Vec<Grouped>,
    #[component(name = "deleted")]
    pub deleted: Vec<u32>,
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Rewritten {
    #[component(name = "arena")]
    pub arena: Vec<u8>,
    #[component(name = "values")]
    pub values: Vec<Result<Stored, Span>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made from what a guest says, by the code that wasmtime derives")]
pub(crate) enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Clock {
    #[component(name = "stream")]
    Stream,
    #[component(name = "wall")]
    Wall,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Due {
    #[component(name = "key")]
    pub key: Option<Span>,
    #[component(name = "name")]
    pub name: Span,
    #[component(name = "time")]
    pub time: i64,
    #[component(name = "clock")]
    pub clock: Clock,
}

/// `state.value`, on its way into a guest.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Value {
    #[component(name = "version")]
    pub version: u32,
    #[component(name = "bytes")]
    pub bytes: Vec<u8>,
}

/// `state.value`, on its way out of a guest: still in the guest's memory, so that its length can be judged first.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct GuestValue {
    #[component(name = "version")]
    pub version: u32,
    #[component(name = "bytes")]
    pub bytes: wasmtime::component::WasmList<u8>,
}

#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Item {
    #[component(name = "key")]
    pub key: Vec<u8>,
    #[component(name = "value")]
    pub value: Value,
}

#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Page {
    #[component(name = "items")]
    pub items: Vec<Item>,
    #[component(name = "next")]
    pub next: Option<Vec<u8>>,
}

/// Arguments are shared, not lent: a stored [`wasmtime::component::TypedFunc`] can't name the life time of a call, and
/// a counted reference gives the buffers back afterwards for the next call to fill.
pub(crate) type Shared<T> = Arc<T>;

/// `transform.transform`.
pub(crate) type TransformArgs = (u32, Shared<Payload>, Shared<Vec<Message>>);
/// `join.join`.
pub(crate) type JoinArgs = (u32, Shared<Payload>, Shared<Vec<Pair>>);
/// `aggregate.aggregate`.
pub(crate) type AggregateArgs =
    (u32, Shared<Payload>, Shared<Vec<Group>>, Shared<Vec<Stored>>, Shared<Vec<Entry>>, Mode);
/// `process.process`.
pub(crate) type ProcessArgs = (u32, Shared<Payload>, Message);
/// `process.on-timer`.
pub(crate) type TimerArgs = (u32, Shared<Vec<u8>>, Due);
/// `rewrite.rewrite`.
pub(crate) type RewriteArgs = (u32, u32, Shared<Vec<u8>>, Shared<Vec<Stored>>);

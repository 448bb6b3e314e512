//! A guest with all the parts that the contract asks for, and places to put misbehaviour into.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millrace_engine::manifest::{FunctionManifest, KeyCodec, Manifest, Port, Role, StoreManifest};
use millrace_engine::ports::{DeploymentId, FunctionId, Message};
use millrace_engine::topology::GuestLimits;
use millrace_plugin::{GuestInstances, LoadError, Plugin, PluginSettings, Runtime};
use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::canonical::Memory;

/// Where the manifest lies in the guest's memory. Below it there is nothing, above it the reply.
const MANIFEST: u32 = 1024;

/// A guest to be built.
pub struct Guest {
    /// What `describe` says.
    pub manifest: Manifest,
    /// The roles it exports.
    pub exports: Vec<Role>,
    /// Body of `$misbehave (param $i i32)`, called for each record whose value begins with `!`, and for each value to
    /// rewrite that does.
    pub misbehave: String,
    /// Body of `configure`'s beginning.
    pub configure: String,
    /// Further fields of the module: functions, data, a start function.
    pub fields: String,
    /// Pages of memory it starts with.
    pub pages: u32,
}

impl Guest {
    /// A guest that behaves, with a function of each of these roles, named as the role.
    pub fn good(roles: &[Role]) -> Self {
        let functions = roles.iter().map(|role| function(role.name(), *role)).collect();
        let manifest = Manifest { name: "guest".into(), version: "1".into(), functions, config_schema: String::new() };
        let (misbehave, configure, fields) = Default::default();
        Self { manifest, exports: roles.to_vec(), misbehave, configure, fields, pages: 32 }
    }

    /// A transform that does this for a record whose value begins with `!`.
    pub fn hostile(misbehave: &str) -> Self {
        Self { misbehave: misbehave.into(), ..Self::good(&[Role::Transform]) }
    }

    /// The core module as text.
    pub fn text(&self) -> String {
        let (describe, data) = Memory::manifest(MANIFEST, &self.manifest);
        let data = data.iter().fold(String::new(), |mut text, byte| {
            write!(text, "\\{byte:02x}").unwrap();
            text
        });
        let roles = self.exports.iter().map(|role| match role {
            Role::Transform => TRANSFORM,
            Role::Join => JOIN,
            Role::Aggregate => AGGREGATE,
            Role::Process => PROCESS,
        });
        let (pages, fields, configure, misbehave) = (self.pages, &self.fields, &self.configure, &self.misbehave);
        let state = if self.exports.contains(&Role::Process) { STATE_IMPORTS } else { "" };
        let rewrite = if self.exports.iter().any(|role| role.keeps_state()) { REWRITE } else { "" };
        let roles: String = roles.collect();
        format!(
            r#"(module
            {IMPORTS}
            {state}
            (memory (export "memory") {pages})
            (data (i32.const {MANIFEST}) "{data}")
            {COMMON}
            {fields}
            (func (export "millrace:plugin/meta@0.1.0#describe") (result i32) (i32.const {describe}))
            (func (export "millrace:plugin/meta@0.1.0#configure") (param i32 i32 i32 i32) (result i32)
                {configure}
                (i32.store8 (i32.const 0x7f00) (i32.const 0))
                (i32.const 0x7f00))
            (func $misbehave (param $i i32) {misbehave})
            {roles}
            {rewrite})"#
        )
    }

    /// The core module, with the type of the component in it.
    pub fn module(&self) -> Vec<u8> {
        module(&self.text(), &self.exports)
    }

    /// Loads it.
    pub fn load(&self, limits: GuestLimits) -> Result<Arc<Plugin>, LoadError> {
        Runtime::new(None).unwrap().load(&self.module(), "guest.wasm", &PluginSettings::new("{}", limits))
    }

    /// Loads it and deploys it.
    pub fn deploy(&self, limits: GuestLimits) -> GuestInstances {
        GuestInstances::of([(DeploymentId(0), self.load(limits).unwrap())])
    }
}

/// A module from text, as `wit-bindgen` would leave it.
pub fn module(text: &str, roles: &[Role]) -> Vec<u8> {
    let worlds = roles.iter().map(|role| match role {
        Role::Transform => "transformer",
        Role::Join => "joiner",
        Role::Aggregate => "aggregator",
        Role::Process => "processor",
    });
    let mut world = String::new();
    worlds.for_each(|name| writeln!(world, "include millrace:plugin/{name}@0.1.0;").unwrap());
    module_in(text, &world)
}

/// The same for a world with these lines.
pub fn module_in(text: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0");
    let mut resolve = Resolve::default();
    resolve.push_dir(&contract).unwrap();
    let world = format!("package test:guest;\nworld guest {{\ninclude millrace:plugin/base@0.1.0;\n{world}}}");
    let package = resolve.push_str("guest.wit", &world).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

/// Limits that a test reaches quickly, but that a good guest on a busy machine doesn't.
pub fn limits() -> GuestLimits {
    GuestLimits {
        deadline: Duration::from_millis(300),
        memory: 4 << 20,
        output_bytes: 100_000,
        outputs: 100,
        state_ops: 100,
        state_bytes: 10_000,
    }
}

/// The first function of the guest.
pub const FIRST: FunctionId = FunctionId { deployment: DeploymentId(0), function: 0 };

/// A function with two ports, the second of which changes keys.
pub fn function(name: &str, role: Role) -> FunctionManifest {
    let store = StoreManifest { name: "store".into(), reads: vec![1], writes: vec![1], queryable: false };
    let ports = [("out", false), ("rekeyed", true)];
    let ports = ports.map(|(name, changes_key)| Port { name: name.into(), changes_key });
    FunctionManifest {
        name: name.into(),
        role,
        ports: ports.to_vec(),
        key: KeyCodec::Bytes,
        wants_headers: false,
        stores: if matches!(role, Role::Aggregate | Role::Process) { vec![store] } else { vec![] },
        timers: role == Role::Process,
        subtracts: role == Role::Aggregate,
        merges: role == Role::Aggregate,
        codes: vec!["bad".into()],
    }
}

/// A record with key `key` and this value.
pub fn message(value: &str) -> Message<'_> {
    let value = Some(value.as_bytes());
    Message { input: "in", key: Some(b"key"), value, timestamp: 7, headers: &[], window: None }
}

const IMPORTS: &str = r#"
    (import "millrace:plugin/budget@0.1.0" "at" (func $at (param i32)))
    (import "millrace:plugin/logging@0.1.0" "log" (func $log (param i32 i32 i32)))
    (import "millrace:plugin/metrics@0.1.0" "count" (func $count (param i32 i32 i64)))"#;

const STATE_IMPORTS: &str = r#"
    (import "millrace:plugin/state@0.1.0" "get" (func $get (param i32 i32 i32 i32)))
    (import "millrace:plugin/state@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32)))
    (import "millrace:plugin/state@0.1.0" "delete" (func $delete (param i32 i32 i32)))
    (import "millrace:plugin/state@0.1.0" "prefix" (func $prefix (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "millrace:plugin/timers@0.1.0" "set-at" (func $set-at (param i32 i32 i64 i32)))
    (import "millrace:plugin/timers@0.1.0" "set-after" (func $set-after (param i32 i32 i64 i32)))
    (import "millrace:plugin/timers@0.1.0" "cancel" (func $cancel (param i32 i32 i32)))"#;

// The reply is at 0x8000, outcomes of 24 bytes from 0x10000, outputs of 64 bytes from 0x20000, what a guest is handed
// from 0x100000. Misbehaviour changes the globals, or what is at these addresses.
const COMMON: &str = r#"
    (global $heap (mut i32) (i32.const 0x100000))
    (global $arena (mut i32) (i32.const 0))
    (global $arena-len (mut i32) (i32.const 0))
    (global $outputs (mut i32) (i32.const 0x20000))
    (global $outputs-len (mut i32) (i32.const 0))
    (global $outcomes-len (mut i32) (i32.const 0))
    (global $deleted-len (mut i32) (i32.const 0))
    (global $arg (mut i32) (i32.const 0))
    (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
        (global.get $heap)
        (global.set $heap (i32.add (global.get $heap) (local.get 3))))
    (func $begin (param $arena i32) (param $arena-len i32)
        (global.set $arena (local.get $arena))
        (global.set $arena-len (local.get $arena-len))
        (global.set $outputs (i32.const 0x20000))
        (global.set $outputs-len (i32.const 0))
        (global.set $outcomes-len (i32.const 0))
        (global.set $deleted-len (i32.const 0)))
    (func $outcome (param $i i32) (result i32)
        (i32.add (i32.const 0x10000) (i32.mul (local.get $i) (i32.const 24))))
    (func $output (param $i i32) (result i32)
        (i32.add (i32.const 0x20000) (i32.mul (local.get $i) (i32.const 64))))
    ;; One output: the key is inherited, the value is a span of the arena, or where its start is -1 inherited.
    (func $emit (param $start i32) (param $length i32) (local $o i32)
        (local.set $o (call $outcome (global.get $outcomes-len)))
        (i32.store8 (local.get $o) (i32.const 0))
        (i32.store offset=4 (local.get $o) (i32.const 1))
        (local.set $o (call $output (global.get $outputs-len)))
        (memory.fill (local.get $o) (i32.const 0) (i32.const 64))
        (if (i32.ne (local.get $start) (i32.const -1)) (then
            (i32.store8 offset=16 (local.get $o) (i32.const 2))
            (i32.store offset=20 (local.get $o) (local.get $start))
            (i32.store offset=24 (local.get $o) (local.get $length))))
        (global.set $outcomes-len (i32.add (global.get $outcomes-len) (i32.const 1)))
        (global.set $outputs-len (i32.add (global.get $outputs-len) (i32.const 1))))
    (func $reply (result i32)
        (i32.store (i32.const 0x8000) (global.get $arena))
        (i32.store (i32.const 0x8004) (global.get $arena-len))
        (i32.store (i32.const 0x8008) (i32.const 8))
        (i32.store (i32.const 0x800c) (i32.const 0))
        (i32.store (i32.const 0x8010) (global.get $outputs))
        (i32.store (i32.const 0x8014) (global.get $outputs-len))
        (i32.store (i32.const 0x8018) (i32.const 0x10000))
        (i32.store (i32.const 0x801c) (global.get $outcomes-len))
        (global.set $heap (i32.const 0x100000))
        (i32.const 0x8000))
    ;; Whether the value of the message at this address begins with `!`.
    (func $bad (param $message i32) (result i32)
        (if (i32.eqz (i32.load offset=28 (local.get $message))) (then (return (i32.const 0))))
        (i32.eq (i32.const 33)
            (i32.load8_u (i32.add (global.get $arena) (i32.load offset=24 (local.get $message))))))"#;

const TRANSFORM: &str = r#"
    (func (export "millrace:plugin/transform@0.1.0#transform")
        (param $f i32) (param $arena i32) (param $arena-len i32) (param i32 i32) (param $list i32) (param $n i32)
        (result i32) (local $i i32)
        (call $begin (local.get $arena) (local.get $arena-len))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
            (call $at (local.get $i))
            (global.set $arg (i32.add (local.get $list) (i32.mul (local.get $i) (i32.const 72))))
            (call $emit (i32.const -1) (i32.const 0))
            (if (call $bad (global.get $arg)) (then (call $misbehave (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
        (call $reply))"#;

// The value of a result is that of the right side.
const JOIN: &str = r#"
    (func (export "millrace:plugin/join@0.1.0#join")
        (param $f i32) (param $arena i32) (param $arena-len i32) (param i32 i32) (param $list i32) (param $n i32)
        (result i32) (local $i i32)
        (call $begin (local.get $arena) (local.get $arena-len))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
            (call $at (local.get $i))
            (global.set $arg (i32.add (local.get $list) (i32.mul (local.get $i) (i32.const 184))))
            (call $emit (i32.load offset=128 (global.get $arg)) (i32.load offset=132 (global.get $arg)))
            (if (call $bad (i32.add (global.get $arg) (i32.const 104))) (then (call $misbehave (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
        (call $reply))"#;

// For one group: its state becomes the value of the last entry, which is also the result of each and of the last.
// Groups in the answer are 28 bytes from 0x9000: state (version, span) and value. Where states were deleted stands from
// 0xa000.
const AGGREGATE: &str = r#"
    (func (export "millrace:plugin/aggregate@0.1.0#aggregate")
        (param $f i32) (param $arena i32) (param $arena-len i32) (param i32 i32) (param i32) (param $groups i32)
        (param i32 i32) (param $list i32) (param $n i32) (param $mode i32)
        (result i32) (local $i i32) (local $last i32)
        (call $begin (local.get $arena) (local.get $arena-len))
        (memory.fill (i32.const 0x9000) (i32.const 0) (i32.const 28))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
            (call $at (local.get $i))
            (global.set $arg (i32.add (i32.const 8) (i32.add (local.get $list) (i32.mul (local.get $i) (i32.const 80)))))
            (call $emit (i32.load offset=24 (global.get $arg)) (i32.load offset=28 (global.get $arg)))
            (if (local.get $mode) (then
                (i32.store offset=4 (call $outcome (local.get $i)) (i32.const 0))
                (global.set $outputs-len (i32.const 0))))
            (i32.store8 (i32.const 0x9000) (i32.const 1))
            (i32.store (i32.const 0x9004) (i32.const 1))
            (i64.store (i32.const 0x9008) (i64.load offset=24 (global.get $arg)))
            (i32.store8 (i32.const 0x9010) (local.get $mode))
            (i64.store align=4 (i32.const 0x9014) (i64.load offset=24 (global.get $arg)))
            (if (call $bad (global.get $arg)) (then (call $misbehave (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
        (drop (call $reply))
        (i32.store (i32.const 0x8020) (i32.const 0x9000))
        (i32.store (i32.const 0x8024) (local.get $groups))
        (i32.store (i32.const 0x8028) (i32.const 0xa000))
        (i32.store (i32.const 0x802c) (global.get $deleted-len))
        (i32.const 0x8000))"#;

// Stores the value under the key and puts the record out as it came. Of a timer it puts out the name.
const PROCESS: &str = r#"
    (func (export "millrace:plugin/process@0.1.0#process") (param $call i32) (result i32)
        (call $begin (i32.load offset=4 (local.get $call)) (i32.load offset=8 (local.get $call)))
        (call $at (i32.const 0))
        (global.set $arg (i32.add (local.get $call) (i32.const 24)))
        (call $put (i32.const 0)
            (i32.add (global.get $arena) (i32.load offset=12 (global.get $arg))) (i32.load offset=16 (global.get $arg))
            (i32.const 1)
            (i32.add (global.get $arena) (i32.load offset=24 (global.get $arg))) (i32.load offset=28 (global.get $arg)))
        (call $emit (i32.const -1) (i32.const 0))
        (if (call $bad (global.get $arg)) (then (call $misbehave (i32.const 0))))
        (call $reply))
    (func (export "millrace:plugin/process@0.1.0#on-timer")
        (param $f i32) (param $arena i32) (param $arena-len i32) (param i32 i32 i32)
        (param $name i32) (param $name-len i32) (param i64 i32) (result i32)
        (call $begin (local.get $arena) (local.get $arena-len))
        (call $at (i32.const 0))
        (call $emit (local.get $name) (local.get $name-len))
        (if (i32.eq (i32.const 33) (i32.load8_u (i32.add (local.get $arena) (local.get $name))))
            (then (call $misbehave (i32.const 0))))
        (call $reply))"#;

// Gives each value back as it came. Results are 16 bytes from 0xb000: whether it is a reason, then version and span, or
// the reason's span.
const REWRITE: &str = r#"
    (global $values-len (mut i32) (i32.const 0))
    (func $rewritten (param $i i32) (result i32)
        (i32.add (i32.const 0xb000) (i32.mul (local.get $i) (i32.const 16))))
    (func (export "millrace:plugin/rewrite@0.1.0#rewrite")
        (param $f i32) (param $store i32) (param $arena i32) (param $arena-len i32) (param $list i32) (param $n i32)
        (result i32) (local $i i32)
        (call $begin (local.get $arena) (local.get $arena-len))
        (global.set $values-len (local.get $n))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
            (call $at (local.get $i))
            (global.set $arg (i32.add (local.get $list) (i32.mul (local.get $i) (i32.const 12))))
            (i32.store8 (call $rewritten (local.get $i)) (i32.const 0))
            (memory.copy
                (i32.add (call $rewritten (local.get $i)) (i32.const 4)) (global.get $arg) (i32.const 12))
            (if (i32.eq (i32.const 33) (i32.load8_u (i32.add (local.get $arena) (i32.load offset=4 (global.get $arg)))))
                (then (call $misbehave (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
        (drop (call $reply))
        (i32.store (i32.const 0x8008) (i32.const 0xb000))
        (i32.store (i32.const 0x800c) (global.get $values-len))
        (i32.const 0x8000))"#;

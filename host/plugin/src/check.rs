//! The manifest: checks it, and converts it from the contract's form to the engine's.

use std::collections::HashSet;

use millrace_engine::manifest::{FunctionManifest, KeyCodec, Manifest, Port, Role, StoreManifest};

use crate::abi;

const ROLES: [Role; 4] = [Role::Transform, Role::Join, Role::Aggregate, Role::Process];

/// Checks the manifest against itself and against the interfaces that the component exports. An error is a sentence for
/// the plugin's author.
pub(crate) fn check(manifest: &Manifest, exports: impl Fn(&str) -> bool) -> Result<(), String> {
    name("the plugin", &manifest.name)?;
    distinct("function", manifest.functions.iter().map(|function| &function.name))?;
    if !manifest.config_schema.is_empty() {
        serde_json::from_str::<serde::de::IgnoredAny>(&manifest.config_schema)
            .map_err(|error| format!("the JSON Schema of the config is not JSON: {error}"))?;
    }
    for role in ROLES {
        let declared = manifest.functions.iter().find(|function| function.role == role);
        match (declared, exports(role.name())) {
            (Some(function), false) => {
                let (function, role) = (&function.name, role.name());
                return Err(format!("function `{function}` is a {role} function, but `{role}` isn't exported"));
            }
            (None, true) => {
                let role = role.name();
                return Err(format!("`{role}` is exported, but no function is a {role} function"));
            }
            _ => {}
        }
    }
    manifest.functions.iter().try_for_each(|function| {
        check_function(function).map_err(|reason| format!("function `{}`: {reason}", function.name))
    })?;
    check_rewrite(manifest, exports("rewrite"))
}

/// A component that has a store must rewrite its values. With a process function alone it needn't, but may.
fn check_rewrite(manifest: &Manifest, is_exported: bool) -> Result<(), String> {
    let with_store = manifest.functions.iter().find(|function| !function.stores.is_empty());
    let keeps_state = manifest.functions.iter().any(|function| function.role.keeps_state());
    match with_store {
        Some(function) if !is_exported => {
            let name = &function.name;
            Err(format!("function `{name}` has a store, but `rewrite`, which rewrites its values, isn't exported"))
        }
        None if is_exported && !keeps_state => {
            Err("`rewrite` is exported, but no function is an aggregate or process function".into())
        }
        _ => Ok(()),
    }
}

fn check_function(function: &FunctionManifest) -> Result<(), String> {
    name("the function", &function.name)?;
    if function.ports.is_empty() {
        return Err("it has no ports; it needs at least one".into());
    }
    function.ports.iter().try_for_each(|port| name("a port", &port.name))?;
    distinct("port", function.ports.iter().map(|port| &port.name))?;
    distinct("code", &function.codes)?;
    function.codes.iter().try_for_each(|code| name("a code", code))?;
    distinct("store", function.stores.iter().map(|store| &store.name))?;
    function.stores.iter().try_for_each(check_store)?;
    let (role, stores) = (function.role, function.stores.len());
    match role {
        Role::Aggregate if stores != 1 => Err(format!("an aggregate has exactly one store, not {stores}")),
        Role::Transform | Role::Join if stores != 0 => Err(format!("a {} function has no stores", role.name())),
        _ if function.timers && role != Role::Process => Err("only a process function has timers".into()),
        _ if function.subtracts && role != Role::Aggregate => Err("only an aggregate takes records back".into()),
        _ if function.merges && role != Role::Aggregate => Err("only an aggregate merges states".into()),
        _ => Ok(()),
    }
}

fn check_store(store: &StoreManifest) -> Result<(), String> {
    name("a store", &store.name)?;
    if store.writes.is_empty() {
        return Err(format!("store `{}` names no state version that it writes", store.name));
    }
    match store.writes.iter().find(|version| !store.reads.contains(version)) {
        Some(version) => Err(format!("store `{}` writes state version {version}, but doesn't read it", store.name)),
        None => Ok(()),
    }
}

/// Checks a name: it becomes a part of `plugin.function`, of `step.port` and of metric labels.
fn name(what: &str, name: &str) -> Result<(), String> {
    let bad = name.is_empty() || name.contains(|c: char| c == '.' || c.is_whitespace() || c.is_control());
    if bad {
        Err(format!("{what} is named {name:?}: a name has no dots and no spaces, and isn't empty"))
    } else {
        Ok(())
    }
}

fn distinct<'a>(what: &str, names: impl IntoIterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(format!("two {what}s are named `{name}`")),
        None => Ok(()),
    }
}

impl From<abi::Manifest> for Manifest {
    fn from(manifest: abi::Manifest) -> Self {
        Self {
            name: manifest.name,
            version: manifest.version,
            functions: manifest.functions.into_iter().map(FunctionManifest::from).collect(),
            config_schema: manifest.config_schema,
        }
    }
}

impl From<abi::Function> for FunctionManifest {
    fn from(function: abi::Function) -> Self {
        let ports = function.ports.into_iter();
        let stores = function.stores.into_iter();
        Self {
            name: function.name,
            role: function.role.into(),
            ports: ports.map(|port| Port { name: port.name, changes_key: port.changes_key }).collect(),
            key: function.key.into(),
            wants_headers: function.wants_headers,
            stores: stores.map(StoreManifest::from).collect(),
            timers: function.timers,
            subtracts: function.subtracts,
            merges: function.merges,
            codes: function.codes,
        }
    }
}

impl From<abi::Store> for StoreManifest {
    fn from(store: abi::Store) -> Self {
        Self { name: store.name, reads: store.reads, writes: store.writes, queryable: store.queryable }
    }
}

impl From<abi::Role> for Role {
    fn from(role: abi::Role) -> Self {
        match role {
            abi::Role::Transform => Self::Transform,
            abi::Role::Join => Self::Join,
            abi::Role::Aggregate => Self::Aggregate,
            abi::Role::Process => Self::Process,
        }
    }
}

impl From<abi::KeyCodec> for KeyCodec {
    fn from(codec: abi::KeyCodec) -> Self {
        match codec {
            abi::KeyCodec::Bytes => Self::Bytes,
            abi::KeyCodec::Text => Self::String,
            abi::KeyCodec::I64 => Self::I64,
        }
    }
}

/// Checks that a value has the state version that calls write to its store. The error is for the plugin's author.
pub(crate) fn check_version(store: Option<&StoreManifest>, version: u32) -> Result<(), String> {
    match store.and_then(|store| store.writes.last()) {
        Some(wanted) if *wanted == version => Ok(()),
        Some(wanted) => Err(format!("wrote state version {version}, and was to write {wanted}")),
        None => Err(format!("wrote state version {version} to a store that its manifest doesn't name")),
    }
}

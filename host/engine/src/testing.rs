//! Short forms for tests.

use crate::manifest::{FunctionManifest, KeyCodec, Manifest, Port, Role, StoreManifest};

/// A manifest from text: `order-status: join resolve key=i64; transform split ports=high,low!`.
///
/// After the plugin's name and a colon come functions, divided by semicolons: role, name, and options
/// - `key=bytes`, `string` or `i64`: type of its keys (bytes);
/// - `ports=NAME,NAME`: its ports, with `!` behind one that changes the key (`out`);
/// - `stores=NAME,NAME`: its stores, with `?` behind one that is queryable (an aggregate: `state`; else none);
/// - `codes=NAME,NAME`: its codes (none);
/// - `headers`: it wants headers;
/// - `timers`: it sets timers;
/// - `subtracts` and `merges`: as an aggregate it can subtract records, and merge states.
///
/// The plugin accepts any config.
///
/// # Panics
/// If the text has another form: it is part of a test.
#[allow(clippy::panic)]
pub fn manifest(text: &str) -> Manifest {
    let Some((name, functions)) = text.split_once(':') else { panic!("no plugin name in {text:?}") };
    let functions = functions.split(';').map(str::trim).filter(|function| !function.is_empty());
    Manifest {
        name: name.trim().to_owned(),
        version: "1.0.0".to_owned(),
        functions: functions.map(function).collect(),
        config_schema: "{}".to_owned(),
    }
}

#[allow(clippy::panic)]
fn function(text: &str) -> FunctionManifest {
    let mut words = text.split_whitespace();
    let (Some(role), Some(name)) = (words.next(), words.next()) else { panic!("no role and name in {text:?}") };
    let role = match role {
        "transform" => Role::Transform,
        "join" => Role::Join,
        "aggregate" => Role::Aggregate,
        "process" => Role::Process,
        other => panic!("no role {other:?}"),
    };
    let stores = if role == Role::Aggregate { vec![store("state")] } else { Vec::new() };
    let mut function = FunctionManifest {
        name: name.to_owned(),
        role,
        ports: vec![port("out")],
        key: KeyCodec::Bytes,
        wants_headers: false,
        stores,
        timers: false,
        subtracts: false,
        merges: false,
        codes: Vec::new(),
    };
    for option in words {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        match (key, value) {
            ("key", "bytes") => function.key = KeyCodec::Bytes,
            ("key", "string") => function.key = KeyCodec::String,
            ("key", "i64") => function.key = KeyCodec::I64,
            ("ports", names) => function.ports = names.split(',').map(port).collect(),
            ("stores", names) => function.stores = names.split(',').map(store).collect(),
            ("codes", names) => function.codes = names.split(',').map(str::to_owned).collect(),
            ("headers", "") => function.wants_headers = true,
            ("timers", "") => function.timers = true,
            ("subtracts", "") => function.subtracts = true,
            ("merges", "") => function.merges = true,
            _ => panic!("no option {option:?} of a function"),
        }
    }
    function
}

fn port(text: &str) -> Port {
    let name = text.trim_end_matches('!');
    Port { name: name.to_owned(), changes_key: name.len() < text.len() }
}

fn store(text: &str) -> StoreManifest {
    let name = text.trim_end_matches('?');
    StoreManifest { name: name.to_owned(), reads: vec![1], writes: vec![1], queryable: name.len() < text.len() }
}

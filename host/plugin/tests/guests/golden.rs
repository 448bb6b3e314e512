//! The guest of the golden cases, compiled.

use std::path::PathBuf;
use std::sync::Arc;

use millrace_engine::ports::{DeploymentId, FunctionId};
use millrace_engine::topology::GuestLimits;
use millrace_plugin::{GuestInstances, Plugin, PluginSettings, Runtime};

/// Its aggregate: what was added and taken back, as text.
pub const APPEND: FunctionId = FunctionId { deployment: DeploymentId(0), function: 1 };
/// Its process function, which does with timers what values say.
pub const TIMERS: FunctionId = FunctionId { deployment: DeploymentId(0), function: 2 };

/// The guest, deployed.
pub fn golden() -> GuestInstances {
    GuestInstances::of([(DeploymentId(0), load())])
}

fn load() -> Arc<Plugin> {
    let folder = std::env::var_os("MILLRACE_GUESTS").map(PathBuf::from);
    let path = folder.expect("`./justw test` says where guests lie, `./justw guests` builds them").join("golden.wasm");
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Runtime::new(None).unwrap().load(&bytes, "golden.wasm", &PluginSettings::new("{}", GuestLimits::default())).unwrap()
}

#[test]
fn the_manifest_of_a_plugin_has_the_abilities_of_its_functions() {
    let plugin = load();
    let can = plugin.manifest().functions.iter();
    let can = can.map(|function| (&*function.name, function.subtracts, function.merges, function.timers));
    let all = [
        ("join", false, false, false),
        ("append", true, true, false),
        ("timers", false, false, true),
        ("pass", false, false, false),
        ("rekey", false, false, false),
    ];
    assert_eq!(can.collect::<Vec<_>>(), all);
}

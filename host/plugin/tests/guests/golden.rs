//! Compiled guests, such as that of the golden cases.

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
    GuestInstances::of([(DeploymentId(0), load_golden())])
}

fn load_golden() -> Arc<Plugin> {
    load("golden.wasm", &PluginSettings::new("{}", GuestLimits::default()))
}

/// A compiled guest.
pub fn load(file: &str, settings: &PluginSettings<'_>) -> Arc<Plugin> {
    let folder = std::env::var_os("MILLRACE_GUESTS").map(PathBuf::from);
    let path = folder.expect("`./justw test` says where guests lie, `./justw guests` builds them").join(file);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Runtime::new(None).unwrap().load(&bytes, file, settings).unwrap()
}

#[test]
fn the_manifest_of_a_plugin_has_the_abilities_of_its_functions() {
    let plugin = load_golden();
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

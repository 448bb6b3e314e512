//! The parts of a plugin, which the macros generate and the adapter runs.

use std::any::Any;
use std::rc::Rc;

use crate::bindings::base::exports::millrace::plugin::meta;
use crate::error::{Error, codes};

pub use meta::{KeyCodec, Role};

/// A plugin: `plugin!` makes one as `pub static PLUGIN`.
pub struct Plugin {
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub version: &'static str,
    #[doc(hidden)]
    pub functions: &'static [Entry],
    #[doc(hidden)]
    pub config: Option<ConfigSpec>,
}

/// The description and the reader of a plugin's config.
pub struct ConfigSpec {
    /// Its JSON Schema.
    pub schema: fn() -> String,
    /// Reads and checks a config.
    pub read: fn(&str) -> Result<Rc<dyn Any>, String>,
}

/// A function and the way to call it.
pub struct Entry {
    /// Its entry in the manifest.
    pub spec: &'static Spec,
    /// The way to call it.
    pub run: crate::adapter::Run,
}

/// The facts that the macros derive from their arguments and a function's signature.
pub struct Spec {
    /// Name.
    pub name: &'static str,
    /// Role.
    pub role: Role,
    /// Ports, at least one.
    pub ports: &'static [PortSpec],
    /// Key codec.
    pub key: KeyCodec,
    /// Whether it gets headers.
    pub headers: bool,
    /// Whether it sets timers.
    pub timers: bool,
    /// Whether it can take records back.
    pub subtracts: bool,
    /// Whether it can merge states.
    pub merges: bool,
    /// Codes it declares.
    pub codes: &'static [&'static str],
    /// Its stores.
    pub stores: &'static [StoreSpec],
}

/// A port.
pub struct PortSpec {
    /// Name.
    pub name: &'static str,
    /// Whether outputs of the port may have another key than their input.
    pub rekey: bool,
}

/// A store.
pub struct StoreSpec {
    /// Name.
    pub name: &'static str,
    /// Version of its state type.
    pub version: u32,
    /// Older versions it can read.
    pub reads: &'static [u32],
    /// Older versions it can write.
    pub writes: &'static [u32],
    /// Rewrites a value.
    pub rewrite: Rewrite,
}

/// Reads a value of a version, and appends it in another version or in the newest. Returns the version that was written.
pub type Rewrite = fn(u32, &[u8], Option<u32>, &mut Vec<u8>) -> Result<u32, Error>;

/// A function of a plugin: the attribute macros implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a plugin function",
    note = "mark it with #[transform], #[join], #[aggregate] or #[process]"
)]
pub trait Function {
    /// Its entry in the manifest.
    const SPEC: Spec;
}

/// Stops the build if a name is that of no store.
pub const fn check_stores(stores: &[StoreSpec], names: &[&str]) {
    let mut rest = names;
    while let [name, others @ ..] = rest {
        store_index(stores, name);
        rest = others;
    }
}

/// Index of the store called `name`; stops the build if there is none.
pub const fn store_index(stores: &[StoreSpec], name: &str) -> u32 {
    let mut index = 0;
    let mut rest = stores;
    while let [store, others @ ..] = rest {
        if same(store.name.as_bytes(), name.as_bytes()) {
            return index;
        }
        index += 1;
        rest = others;
    }
    no_such_store()
}

#[allow(clippy::panic, reason = "runs in the compiler only: it is the error message")]
const fn no_such_store() -> u32 {
    panic!("an `on_timer` function can only take stores that its process function takes under the same name")
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    match (left, right) {
        ([], []) => true,
        ([a, left @ ..], [b, right @ ..]) => *a == *b && same(left, right),
        _ => false,
    }
}

impl Spec {
    /// Whether the function may report this code.
    pub(crate) fn declares(&self, code: &str) -> bool {
        self.codes.contains(&code) || codes::ALL.contains(&code)
    }

    fn manifest(&self) -> meta::Function {
        meta::Function {
            name: self.name.into(),
            role: self.role,
            ports: self
                .ports
                .iter()
                .map(|port| meta::Port { name: port.name.into(), changes_key: port.rekey })
                .collect(),
            key: self.key,
            wants_headers: self.headers,
            stores: self.stores.iter().map(StoreSpec::manifest).collect(),
            timers: self.timers,
            subtracts: self.subtracts,
            merges: self.merges,
            codes: self.codes.iter().chain(&codes::ALL).map(|code| (*code).into()).collect(),
        }
    }
}

impl StoreSpec {
    fn manifest(&self) -> meta::Store {
        let with_newest = |older: &[u32]| older.iter().copied().chain([self.version]).collect();
        meta::Store {
            name: self.name.into(),
            reads: with_newest(self.reads),
            writes: with_newest(self.writes),
            queryable: true,
        }
    }
}

impl Plugin {
    /// The manifest that the host reads.
    pub(crate) fn describe(&self) -> meta::Manifest {
        meta::Manifest {
            name: self.name.into(),
            version: self.version.into(),
            functions: self.functions.iter().map(|entry| entry.spec.manifest()).collect(),
            config_schema: self.config.as_ref().map(|config| (config.schema)()).unwrap_or_default(),
        }
    }
}

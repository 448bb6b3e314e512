//! The types of `wit/0.1.0/meta.wit`.

use wasmtime::component::{ComponentType, Lift, Lower};

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made from what a guest says, by the code that wasmtime derives")]
pub(crate) enum Role {
    #[component(name = "transform")]
    Transform,
    #[component(name = "join")]
    Join,
    #[component(name = "aggregate")]
    Aggregate,
    #[component(name = "process")]
    Process,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made from what a guest says, by the code that wasmtime derives")]
pub(crate) enum KeyCodec {
    #[component(name = "bytes")]
    Bytes,
    #[component(name = "text")]
    Text,
    #[component(name = "i64")]
    I64,
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Port {
    #[component(name = "name")]
    pub name: String,
    #[component(name = "changes-key")]
    pub changes_key: bool,
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Store {
    #[component(name = "name")]
    pub name: String,
    #[component(name = "reads")]
    pub reads: Vec<u32>,
    #[component(name = "writes")]
    pub writes: Vec<u32>,
    #[component(name = "queryable")]
    pub queryable: bool,
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Function {
    #[component(name = "name")]
    pub name: String,
    #[component(name = "role")]
    pub role: Role,
    #[component(name = "ports")]
    pub ports: Vec<Port>,
    #[component(name = "key")]
    pub key: KeyCodec,
    #[component(name = "wants-headers")]
    pub wants_headers: bool,
    #[component(name = "stores")]
    pub stores: Vec<Store>,
    #[component(name = "timers")]
    pub timers: bool,
    #[component(name = "subtracts")]
    pub subtracts: bool,
    #[component(name = "merges")]
    pub merges: bool,
    #[component(name = "codes")]
    pub codes: Vec<String>,
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Manifest {
    #[component(name = "name")]
    pub name: String,
    #[component(name = "version")]
    pub version: String,
    #[component(name = "functions")]
    pub functions: Vec<Function>,
    #[component(name = "config-schema")]
    pub config_schema: String,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct WriteVersion {
    #[component(name = "function")]
    pub function: u32,
    #[component(name = "store")]
    pub store: u32,
    #[component(name = "version")]
    pub version: u32,
}

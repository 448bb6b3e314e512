//! Manifests of plugins: the Rust side of `wit/0.1.0/meta.wit`.

use serde::{Deserialize, Serialize};

/// The role of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Turns a record into records.
    Transform,
    /// Turns a pair into records.
    Join,
    /// Turns records and a state into a new state and a result.
    Aggregate,
    /// Turns a record into records, with stores and timers.
    Process,
}

impl Role {
    /// Whether the function keeps state, so that a record may have an effect without an output.
    pub fn keeps_state(self) -> bool {
        matches!(self, Self::Aggregate | Self::Process)
    }

    /// Its name, as in the contract and in pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Join => "join",
            Self::Aggregate => "aggregate",
            Self::Process => "process",
        }
    }
}

/// Type of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyCodec {
    /// Any bytes.
    #[default]
    Bytes,
    /// UTF-8 text.
    String,
    /// 8 bytes, a big-endian signed integer.
    I64,
}

impl KeyCodec {
    /// Its name in pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::I64 => "i64",
        }
    }
}

/// An output port of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name, as in `from = "step.port"`.
    pub name: String,
    /// Whether an output may have another key than its input.
    pub changes_key: bool,
}

/// A state store of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreManifest {
    /// Name.
    pub name: String,
    /// State versions that the function can read.
    pub reads: Vec<u32>,
    /// State versions that the function can write, the newest last.
    pub writes: Vec<u32>,
    /// Whether values are JSON.
    pub queryable: bool,
}

/// A function of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionManifest {
    /// Name, as in `call = "plugin.function"`.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Output ports; the first is the default. Never empty.
    pub ports: Vec<Port>,
    /// Type of its keys; `Bytes` accepts any key.
    pub key: KeyCodec,
    /// Whether it wants headers.
    pub wants_headers: bool,
    /// Its stores.
    pub stores: Vec<StoreManifest>,
    /// Whether it sets timers.
    pub timers: bool,
    /// For an aggregate: whether it can subtract records.
    pub subtracts: bool,
    /// For an aggregate: whether it can merge states.
    pub merges: bool,
    /// Codes of its failures and skips.
    pub codes: Vec<String>,
}

/// The manifest of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the plugin.
    pub name: String,
    /// Version of the plugin, for people.
    pub version: String,
    /// Its functions; calls name them by index.
    pub functions: Vec<FunctionManifest>,
    /// JSON Schema of the config; empty if the plugin has no config.
    pub config_schema: String,
}

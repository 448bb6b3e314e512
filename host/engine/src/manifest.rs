//! What a plugin says of itself: the Rust side of `wit/0.1.0/meta.wit`.

use serde::{Deserialize, Serialize};

/// What a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Record in, records out.
    Transform,
    /// Two sides in, records out.
    Join,
    /// Records and a state in, a state and a result out.
    Aggregate,
    /// Record in, records out, with stores and timers of its own.
    Process,
}

impl Role {
    /// Whether a record can matter without an output: it may have changed a state.
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

/// How a key is read.
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

/// An exit of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name, as in `from = "step.port"`.
    pub name: String,
    /// Whether an output here may have another key than its input.
    pub changes_key: bool,
}

/// A state store of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreManifest {
    /// Name.
    pub name: String,
    /// State versions the code can read.
    pub reads: Vec<u32>,
    /// State versions the code can write, the newest last.
    pub writes: Vec<u32>,
    /// Whether values are JSON.
    pub queryable: bool,
}

/// One function of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionManifest {
    /// Name, as in `call = "plugin.function"`.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Its exits, the first being the default. Never empty.
    pub ports: Vec<Port>,
    /// How it reads keys; `Bytes` takes any.
    pub key: KeyCodec,
    /// Whether it wants headers.
    pub wants_headers: bool,
    /// Its stores.
    pub stores: Vec<StoreManifest>,
    /// Whether it sets timers.
    pub timers: bool,
    /// Of an aggregate: whether it can take records back.
    pub subtracts: bool,
    /// Of an aggregate: whether it can merge states.
    pub merges: bool,
    /// Codes of failures and skips it may report.
    pub codes: Vec<String>,
}

/// A plugin's description of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the plugin.
    pub name: String,
    /// Version of the plugin, for people.
    pub version: String,
    /// Its functions; calls name them by index.
    pub functions: Vec<FunctionManifest>,
    /// JSON Schema of the config; empty where it takes none.
    pub config_schema: String,
}

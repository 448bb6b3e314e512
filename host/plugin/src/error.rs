//! Why a plugin is refused. Except for [`Refusal::Host`], this component with this config can never run here.

use crate::abi::CONTRACT_VERSION;

/// A plugin was refused.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {refusal}")]
pub struct LoadError {
    /// Where the component came from, as the caller named it.
    pub origin: String,
    /// Why it was refused.
    pub refusal: Refusal,
}

/// Why a plugin was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are no WebAssembly, truncated, or of a kind that this host doesn't run.
    #[error("not a WebAssembly component or module that can be used: {0}")]
    NotWasm(String),
    /// It imports something that isn't in the contract.
    #[error("imports `{import}`: {hint}")]
    ForeignImport {
        /// Name of the import.
        import: String,
        /// Why a plugin can't have it.
        hint: &'static str,
    },
    /// It was built for another version of the contract.
    #[error(
        "built for version {found} of the plugin contract (`{name}`); this host speaks {CONTRACT_VERSION}: \
         build it with the SDK of this host's release"
    )]
    ContractVersion {
        /// The import or export with the version.
        name: String,
        /// Its version.
        found: String,
    },
    /// It exports no `meta`.
    #[error(
        "doesn't export `millrace:plugin/meta@{CONTRACT_VERSION}`: it isn't a Millrace plugin; \
             if it is one in Rust: does its lib.rs end with `plugin! {{ .. }}`?"
    )]
    NoMeta,
    /// It has the names of the contract, but not its types.
    #[error("doesn't fit the plugin contract {CONTRACT_VERSION}: {0}")]
    Mismatch(String),
    /// Its manifest contradicts itself, or its exports.
    #[error("manifest: {0}")]
    Manifest(String),
    /// It refused its config, with this text.
    #[error("config: {0}")]
    Config(String),
    /// It can't write a state version that it is to write.
    #[error("state: {0}")]
    Versions(String),
    /// It broke a limit or trapped while it was started, described or configured.
    #[error("failed at start: {0}")]
    Start(String),
    /// The host has failed: another try may succeed.
    #[error("can't be loaded: {0}")]
    Host(String),
}

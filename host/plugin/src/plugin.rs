//! A loaded plugin: compiled, described, checked, configured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use millrace_engine::manifest::Manifest;
use millrace_engine::ports::CallError;
use millrace_engine::topology::GuestLimits;
use sha2::{Digest, Sha256};
use wit_component::ComponentEncoder;

use crate::abi::{WriteVersion, interface};
use crate::check;
use crate::digest::{digest_of, hex};
use crate::error::{LoadError, Refusal};
use crate::fault::chain;
use crate::inspect::{self, BinaryNames, Kind};
use crate::instance::{GuestInstance, LinkedCode};
use crate::limits::Metering;
use crate::runtime::Runtime;
use crate::slow::SlowWarnings;
use crate::ticker::Ticks;

/// A plugin that was checked and has accepted its config. All threads share it; each has instances of its own in
/// [`GuestInstances`](crate::GuestInstances).
pub struct Plugin {
    manifest: Arc<Manifest>,
    /// The manifest with the one state version for each store that calls may write.
    called: Arc<Manifest>,
    digest: String,
    config_digest: String,
    config: String,
    versions: Vec<WriteVersion>,
    limits: GuestLimits,
    component: Vec<u8>,
    ordinary: LinkedCode,
    verdict: OnceLock<Result<LinkedCode, String>>,
    runtime: Arc<Runtime>,
    slow: SlowWarnings,
}

/// The beginning of WebAssembly.
const MAGIC: &[u8] = b"\0asm";

/// How a plugin is loaded.
#[derive(Clone, Debug)]
pub struct PluginSettings<'a> {
    /// Its config as JSON text, `{}` if it has none.
    pub config: &'a str,
    /// Limits of its guests.
    pub limits: GuestLimits,
    /// The state versions that it writes to stores that don't get their newest one, by `function/store`.
    pub writes: BTreeMap<String, u32>,
}

impl<'a> PluginSettings<'a> {
    /// A plugin with this config that writes its newest state versions.
    pub fn new(config: &'a str, limits: GuestLimits) -> Self {
        Self { config, limits, writes: BTreeMap::new() }
    }
}

impl Runtime {
    /// Loads a plugin from a component, or from a core module as `wit-bindgen` makes it, and checks all that can be
    /// checked before the first record: imports, contract version, manifest, config. `origin` names the plugin in
    /// errors.
    ///
    /// # Errors
    /// Why the plugin was refused, as text for its author. Only [`Refusal::Host`] isn't the plugin's fault.
    pub fn load(
        self: &Arc<Self>,
        bytes: &[u8],
        origin: &str,
        settings: &PluginSettings<'_>,
    ) -> Result<Arc<Plugin>, LoadError> {
        Plugin::load(self, bytes, settings)
            .map(Arc::new)
            .map_err(|refusal| LoadError { origin: origin.to_owned(), refusal })
    }
}

impl Plugin {
    pub(crate) fn load(runtime: &Arc<Runtime>, bytes: &[u8], settings: &PluginSettings<'_>) -> Result<Self, Refusal> {
        let PluginSettings { config, limits, writes } = settings.clone();
        let (component, names) = component(bytes)?;
        let exports = |name: &str| names.exports.contains(&interface(name));
        if !exports("meta") {
            return Err(Refusal::NoMeta);
        }
        let compiled = runtime.compile(Metering::Clock, &component);
        let compiled = compiled.map_err(|error| Refusal::NotWasm(chain(&error)))?;
        let ordinary = LinkedCode::link(&compiled).map_err(|error| Refusal::Mismatch(chain(&error)))?;
        let mut first =
            GuestInstance::start(&ordinary, &limits, Metering::Clock, runtime.ticks().clone()).map_err(at_start)?;
        let manifest = Manifest::from(first.describe().map_err(at_start)?);
        check::check(&manifest, exports).map_err(Refusal::Manifest)?;
        let config_digest = check_config(&manifest, config)?;
        let (versions, called) = written(&manifest, &writes)?;
        first.configure(config, &versions).map_err(at_start)?.map_err(Refusal::Config)?;
        Ok(Self {
            slow: SlowWarnings::new(manifest.functions.len()),
            manifest: Arc::new(manifest),
            called: Arc::new(called),
            versions,
            digest: digest_of(bytes),
            config_digest,
            config: config.to_owned(),
            limits,
            component,
            ordinary,
            verdict: OnceLock::new(),
            runtime: Arc::clone(runtime),
        })
    }

    /// The plugin's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the bytes it was loaded from, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// SHA-256 of its config as compact JSON, in hex.
    pub fn config_digest(&self) -> &str {
        &self.config_digest
    }

    /// Its config as JSON text.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// The limits of its guests.
    pub fn limits(&self) -> &GuestLimits {
        &self.limits
    }

    /// The clock of its deadlines.
    pub(crate) fn ticks(&self) -> &Ticks {
        self.runtime.ticks()
    }

    /// When each of its functions was last logged as slow.
    pub(crate) fn slow(&self) -> &SlowWarnings {
        &self.slow
    }

    /// The manifest, for calls: each store has only the state version that they write.
    pub(crate) fn called(&self) -> &Arc<Manifest> {
        &self.called
    }

    /// A configured instance.
    pub(crate) fn instantiate(&self, course: Metering) -> Result<GuestInstance, CallError> {
        let code = match course {
            Metering::Clock => &self.ordinary,
            Metering::Fuel => self.verdict_code()?,
        };
        let mut live = GuestInstance::start(code, &self.limits, course, self.ticks().clone())?;
        match live.configure(&self.config, &self.versions)? {
            Ok(()) => Ok(live),
            Err(text) => Err(CallError::Host(format!("a plugin refused a config that it had accepted: {text}"))),
        }
    }

    /// The code for verdicts. It is compiled when first needed: most plugins never break a limit.
    fn verdict_code(&self) -> Result<&LinkedCode, CallError> {
        let code = self.verdict.get_or_init(|| {
            let compiled = self.runtime.compile(Metering::Fuel, &self.component);
            compiled.and_then(|component| LinkedCode::link(&component)).map_err(|error| chain(&error))
        });
        code.as_ref().map_err(|reason| CallError::Host(reason.clone()))
    }
}

/// The component in the bytes, converted from a core module if they are one, and its names.
fn component(bytes: &[u8]) -> Result<(Vec<u8>, BinaryNames), Refusal> {
    if !bytes.starts_with(MAGIC) {
        let begin = String::from_utf8_lossy(bytes.get(..MAGIC.len()).unwrap_or(bytes)).escape_default().to_string();
        return Err(Refusal::NotWasm(format!("it begins with `{begin}`, and WebAssembly with `\\0asm`")));
    }
    let names = inspect::names(bytes)?;
    inspect::check(&names)?;
    if names.kind == Kind::Component {
        return Ok((bytes.to_vec(), names));
    }
    let encoded = ComponentEncoder::default().validate(true).module(bytes).and_then(|mut encoder| encoder.encode());
    let encoded = encoded.map_err(|error| Refusal::NotWasm(format!("{error:#}")))?;
    let names = inspect::names(&encoded)?;
    inspect::check(&names)?;
    Ok((encoded, names))
}

/// The state versions that aren't the newest ones, by the numbers of function and store, and the manifest with the
/// version of each store only. An error names a store that hasn't such a version.
fn written(manifest: &Manifest, writes: &BTreeMap<String, u32>) -> Result<(Vec<WriteVersion>, Manifest), Refusal> {
    let (mut versions, mut called) = (Vec::new(), manifest.clone());
    let mut unknown: BTreeSet<_> = writes.keys().collect();
    for (index, function) in (0..).zip(&mut called.functions) {
        for (store_index, store) in (0..).zip(&mut function.stores) {
            let name = format!("{}/{}", function.name, store.name);
            let Some(version) = writes.get(&name).copied() else {
                store.writes = store.writes.last().copied().into_iter().collect();
                continue;
            };
            if !store.writes.contains(&version) {
                let able = &store.writes;
                return Err(Refusal::Versions(format!("it can't write version {version} to `{name}`, only {able:?}")));
            }
            unknown.remove(&name);
            versions.push(WriteVersion { function: index, store: store_index, version });
            store.writes = vec![version];
        }
    }
    match unknown.first() {
        Some(name) => Err(Refusal::Versions(format!("it has no store `{name}`"))),
        None => Ok((versions, called)),
    }
}

/// The digest of the config. An error says why the plugin can't have it.
fn check_config(manifest: &Manifest, config: &str) -> Result<String, Refusal> {
    let config: serde_json::Value =
        serde_json::from_str(config).map_err(|error| Refusal::Config(format!("not JSON: {error}")))?;
    if manifest.config_schema.is_empty() && config.as_object().is_none_or(|fields| !fields.is_empty()) {
        return Err(Refusal::Config(format!("the plugin takes no config, but was given {config}")));
    }
    Ok(hex(&Sha256::digest(sorted(config).to_string())))
}

/// The config with its keys in order: the order in which they stand in a file makes no other version.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn at_start(error: CallError) -> Refusal {
    match error {
        CallError::Guest { text, .. } => Refusal::Start(text),
        CallError::Host(text) => Refusal::Host(text),
        // Only the deadline limits the time of a start.
        CallError::Overrun => Refusal::Start(error.to_string()),
    }
}

//! A plugin's config: values such as thresholds, which change without a rebuild.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

pub use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::base::exports::millrace::plugin::meta::WriteVersion;
use crate::function::Plugin;

/// The config of a plugin. Name it in `plugin!`, read it with [`Ctx::config`](crate::Ctx::config).
///
/// A pipeline without a config gives `{}`: give each field a default, unless the plugin requires it. Unknown fields are
/// refused.
///
/// ```
/// use millrace_sdk::prelude::*;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(default)]
/// struct Limits {
///     /// Payments above this are looked at by a person.
///     review_above: f64,
/// }
///
/// impl Default for Limits {
///     fn default() -> Self {
///         Self { review_above: 1000.0 }
///     }
/// }
///
/// impl Config for Limits {
///     fn validate(&self) -> Result<(), String> {
///         if self.review_above > 0.0 { Ok(()) } else { Err("review_above must be over 0".into()) }
///     }
/// }
///
/// #[transform]
/// fn review(payment: Doc, ctx: Ctx) -> Result<Option<Unchanged>> {
///     Ok((payment.f64("amount")? > ctx.config::<Limits>().review_above).then_some(Unchanged))
/// }
///
/// plugin! { name: "review", config: Limits, functions: [review] }
/// # fn main() {}
/// ```
pub trait Config: DeserializeOwned + JsonSchema + 'static {
    /// Checks conditions that the type can't express. An error refuses the deployment.
    ///
    /// # Errors
    /// For a person: the wrong field, and what would be right.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The JSON Schema of a config.
pub fn schema<C: Config>() -> String {
    schemars::schema_for!(C).as_value().to_string()
}

/// Reads and checks a config.
pub fn read<C: Config>(json: &str) -> Result<Rc<dyn Any>, String> {
    let (mut unknown, mut track) = (Vec::new(), serde_path_to_error::Track::new());
    let mut input = serde_json::Deserializer::from_str(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut input, &mut track);
    let config: C = serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()))
        .and_then(|config| input.end().map(|()| config))
        .map_err(|error| at_its_field(&track.path(), &error))?;
    if let Some(first) = unknown.first() {
        let unknown: Vec<String> = unknown.iter().map(|path| format!("`{path}`")).collect();
        return Err(format!("unknown field {}{}", unknown.join(", "), fields_beside::<C>(first)));
    }
    config.validate()?;
    Ok(Rc::new(config))
}

/// The fields that there are beside an unknown one, by the schema.
fn fields_beside<C: Config>(path: &str) -> String {
    let schema = schemars::schema_for!(C);
    let root = schema.as_value();
    let mut table = root;
    let mut names: Vec<&str> = path.split('.').collect();
    names.pop();
    for name in names {
        let Some(inner) = table.pointer(&format!("/properties/{name}")) else { return String::new() };
        let reference = inner.get("$ref").and_then(|reference| reference.as_str()?.strip_prefix('#'));
        table = reference.and_then(|place| root.pointer(place)).unwrap_or(inner);
    }
    let fields = table.get("properties").and_then(|fields| fields.as_object());
    let fields: Vec<String> =
        fields.into_iter().flat_map(|fields| fields.keys()).map(|name| format!("`{name}`")).collect();
    if fields.is_empty() { String::new() } else { format!("; the fields are {}", fields.join(", ")) }
}

/// The mistake in a config, behind the path of its field. Line and column are left out: the host makes the JSON from
/// the pipeline file and the command line, and its users see only those.
fn at_its_field(path: &serde_path_to_error::Path, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    match path.iter().next() {
        Some(_) => format!("`{path}`: {text}"),
        None => text.to_owned(),
    }
}

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current { config: None, versions: Vec::new() }) };
}

/// The config of `configure`. It is the same during the whole life of an instance.
struct Current {
    config: Option<Rc<dyn Any>>,
    versions: Vec<WriteVersion>,
}

/// Keeps the config from the host.
pub(crate) fn configure(plugin: &Plugin, json: &str, versions: Vec<WriteVersion>) -> Result<(), String> {
    let config = match &plugin.config {
        Some(spec) => Some((spec.read)(json)?),
        None if json.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(*b"{}") => None,
        None => return Err(format!("plugin `{}` takes no config", plugin.name)),
    };
    check_versions(plugin, &versions)?;
    CURRENT.with_borrow_mut(|current| *current = Current { config, versions });
    Ok(())
}

fn check_versions(plugin: &Plugin, versions: &[WriteVersion]) -> Result<(), String> {
    for wanted in versions {
        let function = plugin.functions.get(wanted.function as usize);
        let store = function.and_then(|function| function.spec.stores.get(wanted.store as usize));
        let writes =
            store.is_some_and(|store| store.version == wanted.version || store.writes.contains(&wanted.version));
        if !writes {
            let (function, store, version) = (wanted.function, wanted.store, wanted.version);
            return Err(format!("function {function} can't write version {version} to its store {store}"));
        }
    }
    Ok(())
}

/// The config of the plugin, if it has one.
pub(crate) fn current() -> Option<Rc<dyn Any>> {
    CURRENT.with_borrow(|current| current.config.clone())
}

/// The version to write to a store, if it isn't the newest.
pub(crate) fn write_version(function: u32, store: u32) -> Option<u32> {
    CURRENT.with_borrow(|current| {
        let wanted = current.versions.iter().find(|wanted| wanted.function == function && wanted.store == store);
        wanted.map(|wanted| wanted.version)
    })
}

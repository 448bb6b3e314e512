//! Changes of an app's deployments by a user.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::deployment::{Act, Author};

use super::entries::Entries;
use super::{retry, write};
use crate::client::producer::Transactions;
use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::cluster::internal_topics;
use crate::error::{Error, Reaction};

/// A change that a user asks for.
pub(crate) struct Change<'a> {
    pub(crate) act: &'a Act,
    pub(crate) author: &'a Author,
    /// The components that it needs, by digest.
    pub(crate) components: &'a BTreeMap<String, Arc<[u8]>>,
}

/// Changes the deployments of an app. Returns the generations that it deploys; `None` if `go_on` turns false before.
///
/// # Errors
/// [`Error::Setup`]: it can't be done, and the reason.
pub(crate) fn change(
    settings: &ClientSettings,
    cluster: &Cluster,
    app: &str,
    change: &Change<'_>,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<BTreeMap<String, u32>>, Error> {
    let control = internal_topics::control(app);
    retry(&control, go_on, &|| attempt(settings, cluster, &control, change, go_on))
}

fn attempt(
    settings: &ClientSettings,
    cluster: &Cluster,
    control: &str,
    Change { act, author, components }: &Change<'_>,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<BTreeMap<String, u32>>, Reaction> {
    let topics = std::iter::once(control);
    let Some(mut producer) = Transactions::open(settings, control, topics, Arc::default(), go_on)? else {
        return Ok(None);
    };
    // Earlier owners of the id are fenced: the entries stay as they are now.
    let Some(entries) = Entries::read(settings, cluster, control, go_on)? else { return Ok(None) };
    let before = entries.deployments()?;
    let mut after = before.clone();
    let generations = after.apply(act, author).map_err(|refused| Error::Setup(refused.to_string()))?;
    let mut changed = Entries::default();
    changed.set_deployments(&before, &after, &|digest| components.get(digest).cloned());
    write(&mut producer, &changed)?;
    Ok(Some(generations))
}

//! Tasks whose state was written by a newer deployment of a plugin: by a process that started with other files, and has
//! stopped or given the task away since. Files are deployed by starting processes, so in a rolling upgrade some have
//! the old ones and some the new ones, and tasks move between them in any order. A process with old files goes on where
//! its plugin can read all that was written, as it would after a restart. Where it can't, it leaves the group, so that
//! processes that can get the task, and logs that; it doesn't end.

use std::collections::BTreeSet;

use millrace_engine::task::Deployed;
use millrace_engine::topology::Topology;

use super::opening::AwaitedTasks;
use super::{Event, Worker};
use crate::control::{self, Readable};
use crate::error::Reaction;
use crate::tasks::TaskId;

impl Worker {
    /// Whether a task can be opened although its state was written by this generation of a plugin, which is newer than
    /// this process's. If not, the worker gives up its tasks, and waits.
    pub(super) fn can_go_on_as_older(&mut self, task: TaskId, plugin: &str, recorded: u32) -> Result<bool, Reaction> {
        let Some(Deployed { generation, digest, .. }) = self.deployed(plugin) else { return Ok(false) };
        let shared = &self.shared;
        let keepers = keepers(&shared.topology, task);
        let candidates = shared.candidates.iter().filter(|candidate| keepers.contains(candidate.name.as_str()));
        let (settings, cluster, app) = (&shared.settings, &shared.cluster, &shared.topology.app);
        let Some(readable) = control::readable(settings, cluster, app, candidates, &|| self.may_go_on())? else {
            // A command waits, and comes first.
            return Ok(false);
        };
        let Readable { refused, active } = readable;
        let found = plugin;
        let newest_of = |plugin| active.get(plugin).map_or((0, ""), |record| (record.generation, &record.component));
        let (newest, newest_digest) = newest_of(plugin);
        let Some(refused) = refused else {
            tracing::warn!(
                task = %task, plugin, generation, digest, recorded, newest, newest_digest,
                "a newer version of the plugin has written the state of this task, and is not running it: this process \
                 goes on with its older one, which can read that state; start it again with the newer files to bring \
                 it up to date"
            );
            return Ok(true);
        };
        // It may be another plugin of the task that can't read its state.
        let plugin = refused.plugin.as_str();
        let (Some(Deployed { generation, digest, .. }), (newest, newest_digest)) =
            (self.deployed(plugin), newest_of(plugin))
        else {
            return Ok(false);
        };
        let (was, recorded) = if plugin == found { ("was", recorded) } else { ("may have been", newest) };
        let reason = format!(
            "task {task}: its state {was} written by generation {recorded} of the plugin `{plugin}`, and this process \
             has generation {generation} ({digest}), which can't read it: {refused}. It has left the group, and \
             processes with generation {newest} ({newest_digest}) take over; start it again with their files"
        );
        self.wait_for_assignment();
        self.tasks.clear();
        self.awaited = AwaitedTasks::default();
        self.publisher.publish(Event::Held { reason });
        Ok(false)
    }

    fn deployed(&self, plugin: &str) -> Option<Deployed> {
        let number = self.shared.topology.plugins.iter().position(|known| known.name == plugin)?;
        self.shared.deployments.get(number).cloned()
    }
}

/// The plugins that keep state in a task, by name: it is theirs that must be readable, and no other's.
fn keepers(topology: &Topology, task: TaskId) -> BTreeSet<&str> {
    let nodes = topology.subtopologies.get(task.subtopology).map(|part| part.nodes.as_slice()).unwrap_or_default();
    let calls = nodes.iter().filter_map(|node| node.operator.call()).filter(|call| !call.manifest.stores.is_empty());
    calls.filter_map(|call| Some(topology.plugins.get(call.plugin.0)?.name.as_str())).collect()
}

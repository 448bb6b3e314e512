//! Rewriting entries of older state versions in all processes of an app: each notes which of its tasks are done, and the
//! first process acts once all tasks are.
//!
//! A task that is done has committed that with its generation, so no process with an older one can get it and write the
//! older version again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{Act, ActivePlugins, AppDeployments, RewriteCounts};
use serde::{Deserialize, Serialize};

use super::follow::FollowContext;
use super::notes::InstanceNote;
use super::verdicts::{ACT_TIMEOUT, TURN, do_it};
use crate::tasks::{TaskId, task_count};

/// How long the end waits for processes that have never noted that they run the generation: they may have other pipeline
/// files, with other tasks. A process that is silent for longer is taken for dead.
const SILENCE: Duration = Duration::from_secs(60);

/// How far the workers of an instance are.
#[derive(Default)]
pub(crate) struct Rewrites(Mutex<BTreeMap<usize, WorkerRewrites>>);

/// How far a worker is.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerRewrites {
    /// The version of the plugins that it runs, in this process.
    pub(crate) version: u64,
    /// The tasks that are done, and have committed it.
    pub(crate) done: BTreeSet<TaskId>,
    /// Counts of all its tasks, by plugin.
    pub(crate) counts: BTreeMap<String, RewriteCounts>,
}

/// How far an instance is with the stores of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceRewrites {
    /// The number of the change that asks for it.
    pub reached: u32,
    /// The stores of its pipeline, by name.
    pub stores: BTreeMap<String, StoreRewrites>,
    /// The counts of its tasks.
    pub counts: RewriteCounts,
}

/// How far an instance is with a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRewrites {
    /// Its name by function and store.
    pub name: String,
    /// Number of tasks that have it, in all instances.
    pub tasks: u32,
    /// Partition numbers of the instance's tasks that are done.
    pub done: BTreeSet<u32>,
}

impl Rewrites {
    /// A worker notes how far it is.
    pub(crate) fn note(&self, worker: usize, rewrites: WorkerRewrites) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(worker, rewrites);
    }

    /// How far the instance is, by plugin.
    pub(super) fn of_instance(&self, context: &FollowContext<'_>) -> BTreeMap<String, InstanceRewrites> {
        let (version, plugins) = context.current.get();
        let mut workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What a worker noted before is about another walk.
        workers.retain(|_, worker| worker.version == version);
        let of = |plugin: &str| (plugin.to_owned(), of_plugin(plugin, &plugins, context.partitions, &workers));
        plugins.rewriting().map(of).collect()
    }
}

fn of_plugin(
    plugin: &str,
    plugins: &ActivePlugins,
    partitions: &[u32],
    workers: &BTreeMap<usize, WorkerRewrites>,
) -> InstanceRewrites {
    let place = plugins.topology.plugins.iter().position(|known| known.name == plugin);
    let reached = place.and_then(|place| plugins.deployments.get(place)).map_or(0, |deployed| deployed.reached);
    let mut found = InstanceRewrites { reached, ..InstanceRewrites::default() };
    for (subtopology, store, name) in plugins.rewritten_stores(plugin).unwrap_or_default() {
        let part = plugins.topology.subtopologies.get(subtopology);
        let spec = plugins.topology.stores.get(store.0);
        let (Some(part), Some(spec)) = (part, spec) else { continue };
        let done = workers.values().flat_map(|worker| &worker.done).filter(|task| task.subtopology == subtopology);
        let (tasks, done) = (task_count(part, partitions), done.map(|task| task.partition).collect());
        found.stores.insert(spec.name.clone(), StoreRewrites { name, tasks, done });
    }
    workers.values().filter_map(|worker| worker.counts.get(plugin)).for_each(|counts| found.counts.add(counts));
    found
}

/// The notes of all instances, and the acts of this one.
#[derive(Default)]
pub(super) struct RewriteVerdicts {
    notes: BTreeMap<String, InstanceNote>,
    /// Since when all known tasks of a plugin are done, with the number of the change.
    due: BTreeMap<String, (u32, Instant)>,
    acted: Option<Instant>,
}

impl RewriteVerdicts {
    /// Takes the note of an instance.
    pub(super) fn take(&mut self, instance: &str, note: Option<InstanceNote>) {
        match note {
            Some(note) => drop(self.notes.insert(instance.to_owned(), note)),
            None => drop(self.notes.remove(instance)),
        }
    }

    /// Notes that a plugin's older state versions are gone, once all tasks are done.
    pub(super) fn act(&mut self, context: &FollowContext<'_>, deployments: &AppDeployments) {
        if self.acted.is_some_and(|at| at.elapsed() < ACT_TIMEOUT) {
            return;
        }
        let names = context.topology.plugins.iter().map(|plugin| plugin.name.as_str());
        for plugin in names {
            let Some(record) = deployments.plugins.get(plugin) else { continue };
            let Some(active) = record.active().filter(|active| active.rewrite.is_some()) else {
                self.due.remove(plugin);
                continue;
            };
            if let Some((stores, counts)) = self.end(context.instance, plugin, record.reached()) {
                let (plugin, generation) = (plugin.to_owned(), active.generation);
                self.acted = Some(Instant::now());
                do_it(context, &Act::Rewritten { plugin, generation, stores, counts }, String::new());
                return;
            }
        }
    }

    /// The stores of a plugin and the counts, if all tasks are done and it is this instance's turn to say so.
    fn end(&mut self, own: &str, plugin: &str, reached: u32) -> Option<(BTreeSet<String>, RewriteCounts)> {
        let of_plugin = |note: &InstanceNote| note.rewrites.get(plugin).filter(|it| it.reached == reached).cloned();
        let notes = self.notes.iter().filter_map(|(id, note)| Some((id.as_str(), of_plugin(note)?)));
        let notes: BTreeMap<&str, InstanceRewrites> = notes.collect();
        if !notes.contains_key(own) || !are_all_done(notes.values()) {
            self.due.remove(plugin);
            return None;
        }
        let due = self.due.entry(plugin.to_owned()).or_insert((reached, Instant::now()));
        if due.0 != reached {
            *due = (reached, Instant::now());
        }
        let is_behind = |note: &InstanceNote| note.running.get(plugin).is_some_and(|at| *at < reached);
        let silent = self.notes.values().any(is_behind);
        let before = notes.keys().filter(|id| **id < own).count();
        let turn = TURN.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX));
        let wait = if silent { SILENCE.saturating_add(turn) } else { turn };
        if due.1.elapsed() < wait {
            return None;
        }
        let stores = notes.values().flat_map(|note| note.stores.values().map(|store| store.name.clone())).collect();
        let mut counts = RewriteCounts::default();
        notes.values().for_each(|note| counts.add(&note.counts));
        Some((stores, counts))
    }
}

/// Whether each task of each store is done in some instance.
fn are_all_done<'n>(notes: impl Iterator<Item = &'n InstanceRewrites> + Clone) -> bool {
    let mut done: BTreeMap<&str, (u32, BTreeSet<u32>)> = BTreeMap::new();
    for (name, store) in notes.flat_map(|note| &note.stores) {
        let (tasks, partitions) = done.entry(name).or_default();
        *tasks = (*tasks).max(store.tasks);
        partitions.extend(&store.done);
    }
    done.values().all(|(tasks, partitions)| (0..*tasks).all(|partition| partitions.contains(&partition)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn note(tasks: u32, done: &[u32]) -> InstanceRewrites {
        let done = done.iter().copied().collect();
        let store = StoreRewrites { name: "sum/state".into(), tasks, done };
        let counts = RewriteCounts { looked: 2, rewritten: 1, ..RewriteCounts::default() };
        InstanceRewrites { reached: 3, stores: BTreeMap::from([("total".into(), store)]), counts }
    }

    /// Verdicts that know these instances, each with the generation that it runs.
    fn verdicts(of: &[(&str, u32, Option<InstanceRewrites>)]) -> RewriteVerdicts {
        let mut verdicts = RewriteVerdicts::default();
        for (instance, running, rewrites) in of {
            let running = BTreeMap::from([("p".to_owned(), *running)]);
            let rewrites = rewrites.iter().map(|it| ("p".to_owned(), it.clone())).collect();
            verdicts.take(instance, Some(InstanceNote { running, rewrites, ..InstanceNote::default() }));
        }
        verdicts
    }

    #[test]
    fn the_first_instance_ends_it_when_each_task_is_done_somewhere() {
        let (a, b) = (note(3, &[0, 2]), note(3, &[1]));
        let mut known = verdicts(&[("a", 3, Some(a.clone())), ("b", 3, Some(b))]);
        let (stores, counts) = known.end("a", "p", 3).unwrap();
        assert_eq!(stores, BTreeSet::from(["sum/state".to_owned()]));
        assert_eq!((counts.looked, counts.rewritten), (4, 2));
        assert!(known.end("b", "p", 3).is_none(), "it isn't its turn yet");
        assert!(known.end("c", "p", 3).is_none(), "it has no note of its own");
        assert!(verdicts(&[("a", 3, Some(a))]).end("a", "p", 3).is_none(), "task 1 isn't done");
    }

    #[test]
    fn it_does_not_end_while_an_instance_may_have_other_tasks_or_is_done_with_another_change() {
        let all = note(2, &[0, 1]);
        let mut known = verdicts(&[("a", 3, Some(all.clone())), ("b", 2, None)]);
        assert!(known.end("a", "p", 3).is_none(), "b has not said that it runs the generation");
        known.take("b", None);
        assert!(known.end("a", "p", 3).is_some());
        assert!(verdicts(&[("a", 4, Some(all.clone()))]).end("a", "p", 4).is_none());
        let more = verdicts(&[("a", 3, Some(all)), ("b", 3, Some(note(3, &[])))]).end("a", "p", 3);
        assert!(more.is_none(), "b knows a third task");
    }
}

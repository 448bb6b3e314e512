//! Rewriting entries of older state versions in all processes of an app: each notes which of its tasks are done, and the
//! first process acts once all tasks are.
//!
//! A task that is done has committed that with its generation, so no process with an older one can get it and write the
//! older version again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{Act, ActivePlugins, AppDeployments, RewriteCounts};
use serde::{Deserialize, Serialize};

use super::entries::Entries;
use super::follow::FollowContext;
use super::holds_any;
use super::notes::{InstanceNote, instance_of_client};
use super::verdicts::{ACT_TIMEOUT, TURN, do_it};
use crate::cluster::internal_topics;
use crate::error::Error;
use crate::tasks::{TaskId, task_count};

/// How often to ask which instances live, while all tasks that are known are done.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How far the workers of an instance are.
#[derive(Default)]
pub(crate) struct Rewrites(Mutex<BTreeMap<usize, WorkerRewrites>>);

/// How far a worker is.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerRewrites {
    /// The version of the plugins that it runs, in this process.
    pub(crate) version: u64,
    /// Whether a task of it has entries to rewrite.
    pub(crate) is_open: bool,
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
    /// The stores that its tasks walk through, by name.
    pub stores: BTreeMap<String, StoreRewrites>,
    /// Names of all stores of its pipeline.
    pub present: BTreeSet<String>,
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

    /// Number of workers with entries to rewrite; they share the rate.
    pub(crate) fn open_workers(&self) -> usize {
        let workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        workers.values().filter(|worker| worker.is_open).count()
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
    let present = plugins.topology.stores.iter().map(|store| store.name.clone()).collect();
    let mut found = InstanceRewrites { reached, present, ..InstanceRewrites::default() };
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
    /// When to look again, after an attempt.
    next: Option<Instant>,
}

impl RewriteVerdicts {
    /// Takes the note of an instance.
    pub(super) fn take(&mut self, instance: &str, note: Option<InstanceNote>) {
        match note {
            Some(note) => drop(self.notes.insert(instance.to_owned(), note)),
            None => drop(self.notes.remove(instance)),
        }
    }

    /// Notes that a plugin's older state versions are gone, once all tasks are done. A failed attempt is logged, and made
    /// again.
    pub(super) fn act(&mut self, context: &FollowContext<'_>, deployments: &AppDeployments) {
        if self.next.is_some_and(|next| Instant::now() < next) {
            return;
        }
        let names = context.topology.plugins.iter().map(|plugin| plugin.name.as_str());
        for plugin in names {
            let Some(record) = deployments.plugins.get(plugin) else { continue };
            let Some(active) = record.active().filter(|active| active.rewrite.is_some()) else {
                self.due.remove(plugin);
                continue;
            };
            let (reached, generation) = (record.reached(), active.generation);
            if !self.are_all_done(context.instance, plugin, reached) {
                self.due.remove(plugin);
                continue;
            }
            let ended = self.end(context, plugin, reached);
            self.next = Some(Instant::now() + if matches!(ended, Ok(None)) { LOOK_INTERVAL } else { ACT_TIMEOUT });
            match ended {
                Ok(Some((stores, counts))) => {
                    let plugin = plugin.to_owned();
                    do_it(context, &Act::Rewritten { plugin, generation, stores, counts }, String::new());
                    return;
                }
                // Another process is to act, or one isn't that far: another plugin may be.
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, plugin, "the end of a rewriting can't be noted: trying again");
                    return;
                }
            }
        }
    }

    /// Whether this instance has noted how far it is, and all tasks that are known here are done.
    fn are_all_done(&self, own: &str, plugin: &str, reached: u32) -> bool {
        if self.notes.get(own).and_then(|note| of_request(note, plugin, reached)).is_none() {
            return false;
        }
        let notes = self.notes.values().filter_map(|note| of_request(note, plugin, reached));
        are_all_done(notes)
    }

    /// The stores of a plugin and the counts, if all live instances are done and it is this instance's turn to say so.
    fn end(
        &mut self,
        context: &FollowContext<'_>,
        plugin: &str,
        reached: u32,
    ) -> Result<Option<(BTreeSet<String>, RewriteCounts)>, Error> {
        let app = context.topology.app.as_str();
        let members = context.cluster.members(app)?;
        let live: BTreeSet<&str> = members.iter().filter_map(|client| instance_of_client(app, client)).collect();
        let Some((stores, present, mut counts)) = self.outcome(context.instance, &live, plugin, reached) else {
            return Ok(None);
        };
        let go_on = || !context.stop.load(Ordering::Relaxed);
        let control = internal_topics::control(app);
        let Some(entries) = Entries::read(context.settings, context.cluster, &control, &go_on)? else {
            return Ok(None);
        };
        let holds_any = &mut |store: &str| holds_any(context.cluster, &internal_topics::changelog(app, store));
        counts.keep_versions(&stores, &present, &entries.contents()?, holds_any)?;
        Ok(Some((stores, counts)))
    }

    /// The stores by function, all stores by name, and the counts, if each of these live instances is done and it is `own`'s turn.
    /// A live instance that hasn't noted how far it is may have tasks that no other one knows.
    fn outcome(
        &mut self,
        own: &str,
        live: &BTreeSet<&str>,
        plugin: &str,
        reached: u32,
    ) -> Option<(BTreeSet<String>, BTreeSet<String>, RewriteCounts)> {
        let mut notes = BTreeMap::new();
        for id in live {
            let note = self.notes.get(*id)?;
            match of_request(note, plugin, reached) {
                Some(rewrites) => drop(notes.insert(*id, rewrites)),
                // Its pipeline hasn't the plugin.
                None if !note.running.contains_key(plugin) => {}
                None => return None,
            }
        }
        if !notes.contains_key(own) || !are_all_done(notes.values().copied()) {
            return None;
        }
        let due = self.due.entry(plugin.to_owned()).or_insert((reached, Instant::now()));
        if due.0 != reached {
            *due = (reached, Instant::now());
        }
        let before = notes.keys().filter(|id| **id < own).count();
        if due.1.elapsed() < TURN.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX)) {
            return None;
        }
        let stores = notes.values().flat_map(|note| note.stores.values().map(|store| store.name.clone())).collect();
        let present = notes.values().flat_map(|note| note.present.iter().cloned()).collect();
        let mut counts = RewriteCounts::default();
        notes.values().for_each(|note| counts.add(&note.counts));
        Some((stores, present, counts))
    }
}

/// How far an instance is with what this change asks for.
fn of_request<'n>(note: &'n InstanceNote, plugin: &str, reached: u32) -> Option<&'n InstanceRewrites> {
    note.rewrites.get(plugin).filter(|it| it.reached == reached)
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
        let present = ["total", "other"].map(str::to_owned).into();
        InstanceRewrites { reached: 3, stores: BTreeMap::from([("total".into(), store)]), present, counts }
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

    fn end(known: &mut RewriteVerdicts, own: &str, live: &[&str], reached: u32) -> Option<RewriteCounts> {
        let live = live.iter().copied().collect();
        known.outcome(own, &live, "p", reached).map(|(stores, present, counts)| {
            assert_eq!(
                (stores, present),
                (["sum/state".to_owned()].into(), ["other", "total"].map(str::to_owned).into())
            );
            counts
        })
    }

    #[test]
    fn the_first_instance_ends_it_when_each_task_is_done_somewhere() {
        let (a, b) = (note(3, &[0, 2]), note(3, &[1]));
        let mut known = verdicts(&[("a", 3, Some(a.clone())), ("b", 3, Some(b))]);
        let counts = end(&mut known, "a", &["a", "b"], 3).unwrap();
        assert_eq!((counts.looked, counts.rewritten), (4, 2));
        assert!(end(&mut known, "b", &["a", "b"], 3).is_none(), "it isn't its turn yet");
        assert!(end(&mut known, "a", &["a"], 3).is_none(), "task 1 was done by an instance that is gone");
        assert!(end(&mut verdicts(&[("a", 3, Some(a))]), "a", &["a"], 3).is_none(), "task 1 isn't done");
    }

    #[test]
    fn it_does_not_end_while_a_live_instance_may_have_other_tasks_or_is_done_with_another_change() {
        let all = note(2, &[0, 1]);
        let mut known = verdicts(&[("a", 3, Some(all.clone())), ("b", 3, None)]);
        assert!(end(&mut known, "a", &["a", "b"], 3).is_none(), "b runs it, and hasn't noted its tasks");
        assert!(end(&mut known, "a", &["a", "c"], 3).is_none(), "c has no note yet");
        assert!(end(&mut known, "a", &["a"], 3).is_some(), "b is gone");
        known.take("d", Some(InstanceNote::default()));
        assert!(end(&mut known, "a", &["a", "d"], 3).is_some(), "d has other plugins");
        assert!(end(&mut verdicts(&[("a", 4, Some(all.clone()))]), "a", &["a"], 4).is_none());
        let mut more = verdicts(&[("a", 3, Some(all)), ("b", 3, Some(note(3, &[])))]);
        assert!(end(&mut more, "a", &["a", "b"], 3).is_none(), "b knows a third task");
    }
}

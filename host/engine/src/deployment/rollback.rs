//! The rules by which a plugin goes back to an earlier version.

use std::collections::BTreeMap;

use super::record::{Cause, Deployment, Status};
use super::rules::{AppDeployments, check_reads, refused};
use super::{Author, DeploymentRefused};
use crate::step::Flood;

impl AppDeployments {
    /// The state versions that the target of a rollback can't read, by function and store; none if it can read all that
    /// may be there.
    ///
    /// # Errors
    /// There is nothing to go back to.
    pub fn unreadable_after_rollback(
        &self,
        plugin: &str,
        to: Option<u32>,
    ) -> Result<BTreeMap<String, Vec<u32>>, DeploymentRefused> {
        let (target, (record, _)) = (self.rollback_target(plugin, to)?, self.record(plugin)?);
        let unread = record.state_versions.iter().filter_map(|(store, written)| {
            let reads = &target.stores.get(store)?.reads;
            let unread: Vec<_> = written.iter().filter(|version| !reads.contains(version)).copied().collect();
            (!unread.is_empty()).then(|| (store.clone(), unread))
        });
        Ok(unread.collect())
    }

    /// The deployment that a rollback of a plugin goes to: that of generation `to`, or else the last one of another
    /// version that wasn't rolled back itself.
    ///
    /// # Errors
    /// There is none.
    fn rollback_target(&self, plugin: &str, to: Option<u32>) -> Result<&Deployment, DeploymentRefused> {
        let (record, active) = self.record(plugin)?;
        let is_other = |it: &Deployment| {
            let was_active = matches!(it.status, Status::Superseded | Status::RolledBack);
            was_active && (&it.component, &it.config) != (&active.component, &active.config)
        };
        // A version from which the app has gone back, if that was its last deployment.
        let was_left = |it: &Deployment| {
            let same = |other: &&Deployment| (&other.component, &other.config) == (&it.component, &it.config);
            let last = record.deployments.iter().rev().find(|other| same(other) && other.status != Status::Aborted);
            last.is_some_and(|last| last.status == Status::RolledBack)
        };
        let others = || record.deployments.iter().rev().filter(|it| is_other(it));
        let kept: Vec<_> = others().map(|it| it.generation.to_string()).collect();
        if kept.is_empty() {
            return Err(refused(plugin, "there is no version to go back to: no other one that ran is kept".into()));
        }
        let kept = kept.join(", ");
        let target = match to {
            Some(generation) => others().find(|it| it.generation == generation).ok_or_else(|| {
                refused(
                    plugin,
                    format!("generation {generation} has no other version than the active one: kept are {kept}"),
                )
            })?,
            None => others().find(|it| !was_left(it)).ok_or_else(|| {
                refused(
                    plugin,
                    format!("the version before the active one was rolled back: choose one with --to; kept are {kept}"),
                )
            })?,
        };
        Ok(target)
    }

    /// Rolls a plugin back to the version of a [target](Self::rollback_target). Returns the generation.
    ///
    /// # Errors
    /// As for the target.
    pub(super) fn rollback(
        &mut self,
        plugin: &str,
        to: Option<u32>,
        author: &Author,
    ) -> Result<u32, DeploymentRefused> {
        let mut next = self.rollback_target(plugin, to)?.clone();
        for (store, written) in self.plugins.get(plugin).iter().flat_map(|record| &record.state_versions) {
            let Some(versions) = next.stores.get(store) else { continue };
            check_reads(plugin, store, &versions.reads, written)?;
        }
        let note = format!("to the version of generation {}", next.generation);
        let author = match author.note.as_str() {
            "" => Author { note, ..author.clone() },
            why => Author { note: format!("{note}: {why}"), ..author.clone() },
        };
        (next.cause, next.status) = (Cause::Rollback, Status::Active);
        (next.trial, next.verdict, next.flood) = (None, String::new(), Flood::None);
        (next.rewrite, next.rewritten) = (None, None);
        for (store, versions) in &mut next.stores {
            versions.now = self.version_to_write(plugin, store, &versions.writes).unwrap_or(versions.now);
        }
        Ok(self.append(plugin, next, &author))
    }
}

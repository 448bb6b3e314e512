//! Records that leave a step by failing or being dropped, with the counts in the ledger.

use std::fmt::Display;

use super::{Step, TaskError, UnusableAction, UnusableRecord, origin};
use crate::dead_letter::{self, Failed};
use crate::ledger::{CounterKind, Example, Fate};
use crate::path::Path;
use crate::ports::{Failure, FailureClass};
use crate::provenance::Origin;
use crate::topology::{Call, OnDrop, OnError};

impl Step<'_> {
    /// Does with a failed record what `on-error` says. `call` is the call that has failed, and the key that it was for.
    pub(crate) fn fail(
        &mut self,
        path: &Path,
        failure: &Failure,
        call: Option<(&Call, Option<&[u8]>)>,
    ) -> Result<(), TaskError> {
        let version = call.and_then(|(call, key)| Some((call.plugin.0, self.version_of(call, key)?)));
        if let (Some((plugin, (generation, _))), Some((call, _))) = (version, call) {
            self.ledger.version((plugin, generation), &call.manifest.name).fail(failure);
        }
        match self.node.on_error {
            OnError::DeadLetter => {
                self.dead_letter(path, failure, version.map(|(plugin, (_, digest))| (plugin, digest)))
            }
            OnError::Skip => self.drop_record(path, &failure.code, 1, &failure.text, Fate::Dropped(Some("on-error"))),
            OnError::Fail => {
                let origin = self.origin_of(path).filter(|origin| origin.offset >= 0);
                let record = origin.map_or_else(String::new, |origin| format!("; its origin is {origin}"));
                return Err(TaskError::Stopped { step: self.node.name.clone(), failure: failure.clone(), record });
            }
        }
        Ok(())
    }

    /// Drops or dead-letters a record that this operator can't use.
    pub(crate) fn reject(&mut self, path: &Path, record: UnusableRecord<'_>) {
        let UnusableRecord { code, text, action } = record;
        match action {
            UnusableAction::Set(setting, OnDrop::Drop) => {
                self.drop_record(path, code, 1, text, Fate::Dropped(Some(setting)))
            }
            UnusableAction::Drop => self.drop_record(path, code, 1, text, Fate::Dropped(None)),
            UnusableAction::Set(_, OnDrop::DeadLetter) | UnusableAction::DeadLetter => {
                let failure = Failure { class: FailureClass::Permanent, code: code.into(), text: text.into() };
                self.dead_letter(path, &failure, None);
            }
        }
    }

    /// Counts a dropped record, or `n` outputs or windows that it loses.
    pub(crate) fn drop_record(&mut self, path: &Path, code: &str, n: u64, why: impl Display, fate: Fate) {
        let Self { ledger, progress, options, node, .. } = self;
        ledger.count_with(&node.name, CounterKind::Dropped, code, n, || {
            let origin =
                progress.records.get(path.record()).map(|record| origin(progress, options, path.record(), record));
            example(origin.as_ref(), why.to_string(), fate)
        });
    }

    /// Writes the original record to the dead-letter topic. `version` is the number of the plugin and the digest of the version
    /// that was called.
    fn dead_letter(&mut self, path: &Path, failure: &Failure, version: Option<(usize, &str)>) {
        let Some(record) = self.progress.records.get(path.record()) else { return };
        let origin = self.origin(path.record(), record);
        let plugin =
            version.and_then(|(plugin, digest)| Some((self.topology.plugins.get(plugin)?.name.as_str(), digest)));
        let failed = Failed {
            app: &self.topology.app,
            step: &self.node.name,
            plugin,
            failure,
            origin: &origin,
            at: record.arrived,
            timestamp: record.timestamp,
        };
        let letter = dead_letter::letter(record, &failed, self.record_limit(self.node.dlq));
        self.ledger.count_with(&self.node.name, CounterKind::DeadLettered, &failure.code, 1, || {
            let topic = self.topology.topics.get(self.node.dlq.0);
            let topic = topic.map(|topic| topic.name.clone()).unwrap_or_default();
            example(Some(&origin), failure.text.clone(), Fate::DeadLetter(topic))
        });
        let key = letter.key.clone();
        self.produce(path.clone(), self.node.dlq, letter, key.as_deref());
    }
}

fn example(origin: Option<&Origin>, reason: String, fate: Fate) -> Example {
    Example {
        topic: origin.map(|origin| String::from_utf8_lossy(&origin.topic).into_owned()).unwrap_or_default(),
        partition: origin.map_or(0, |origin| origin.partition),
        offset: origin.map_or(-1, |origin| origin.offset),
        reason,
        fate,
    }
}

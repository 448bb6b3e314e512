//! Limits of topics, stores and outputs. A record that exceeds one fails: otherwise it would block the commit forever.

use super::{Step, TaskError};
use crate::ledger::Fate;
use crate::path::Path;
use crate::ports::{Failure, FailureClass, Field, Output, StoreId};
use crate::record::Record;
use crate::row::Row;
use crate::size::shown;
use crate::topology::TopicId;

impl Step<'_> {
    /// Most bytes of key, value and headers that a record of this topic may have.
    pub(crate) fn record_limit(&self, topic: TopicId) -> usize {
        self.options.record_bytes.get(topic.0).copied().unwrap_or(usize::MAX)
    }

    /// Adds a record to the task's outputs, for the partition of `key`. The record fails if it is too large for its
    /// topic, or if the topic has refused it before.
    pub(crate) fn send(
        &mut self,
        path: Path,
        topic: TopicId,
        record: Record,
        key: Option<&[u8]>,
    ) -> Result<(), TaskError> {
        let (size, limit) = (record.whole_size(), self.record_limit(topic));
        let name = || self.topology.topics.get(topic.0).map_or("", |topic| topic.name.as_str());
        if size > limit {
            let (size, limit) = (shown(size), shown(limit));
            let text = format!("the record has {size} with its headers, and the topic `{}` takes {limit}", name());
            return self.fail(&path, &permanent("too-large", text), None);
        }
        if let Some(refused) = &self.options.refused
            && let Some(reason) = refused.verdict(topic, &record)
        {
            let text = format!("the topic `{}` refuses the record: {reason}", name());
            return self.fail(&path, &permanent("refused", text), None);
        }
        self.produce(path, topic, record, key);
        Ok(())
    }

    /// The failure if an entry with key and value of these lengths is too large for a store.
    pub(crate) fn entry_too_large(&self, store: StoreId, key: usize, value: usize) -> Option<Failure> {
        let (size, limit) = (key.saturating_add(value), self.options.state_bytes);
        if size <= limit {
            return None;
        }
        let name = self.topology.stores.get(store.0).map_or("", |store| store.name.as_str());
        let (size, limit) = (shown(size), shown(limit));
        let text = format!("its entry in the store `{name}` would have {size}, and {limit} are the most");
        Some(permanent("state-too-large", text))
    }
}

/// The outputs that a step has made of one record so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordOutputs {
    /// The number of the record within the run.
    pub(crate) record: u32,
    pub(crate) outputs: u64,
    pub(crate) bytes: u64,
    /// Whether they exceed a limit: the step then drops all further outputs of the record.
    pub(crate) exceeded: bool,
}

impl Step<'_> {
    /// Counts outputs of a record. Returns `None` if they are within the limits. If not, the caller drops them: the
    /// first time the record fails with the returned failure, later ones are only counted.
    pub(crate) fn count_outputs(&mut self, path: &Path, row: Row, outputs: &[Output]) -> Option<Option<Failure>> {
        if outputs.is_empty() {
            return None;
        }
        let place = self.progress.record_outputs.get_mut(self.id.0)?;
        // Old rows have limits of their own: each makes as many outputs as it did when it was new.
        let made = place.get_mut(usize::from(matches!(row, Row::Old { .. })))?;
        let record = path.record() as u32;
        if made.record != record || made.outputs == 0 {
            *made = RecordOutputs { record, ..RecordOutputs::default() };
        }
        let length = |field: &Field| if let Field::Bytes(bytes) = field { bytes.len() as u64 } else { 0 };
        let bytes = outputs.iter().map(|output| length(&output.key) + length(&output.value)).sum::<u64>();
        let already = made.exceeded;
        made.outputs = made.outputs.saturating_add(outputs.len() as u64);
        made.bytes = made.bytes.saturating_add(bytes);
        let (most, most_bytes) = (self.options.record_outputs, self.options.record_output_bytes);
        made.exceeded |= made.outputs > most || made.bytes > most_bytes;
        if !made.exceeded {
            return None;
        }
        // The guest has made them, so they count in the budget.
        outputs.iter().for_each(|_| self.budget.take(0));
        if already {
            let why = "the step has made more of the record than it may of one";
            self.drop_record(path, TOO_MANY, outputs.len() as u64, why, Fate::Dropped(None));
            return Some(None);
        }
        let shown = |bytes: u64| shown(usize::try_from(bytes).unwrap_or(usize::MAX));
        let (outputs, bytes, most_bytes) = (made.outputs, shown(made.bytes), shown(most_bytes));
        let text = format!(
            "the step has made {outputs} outputs with {bytes} of this record, and {most} outputs with {most_bytes} are the \
             most of one record: these and all that would follow are dropped"
        );
        Some(Some(permanent(TOO_MANY, text)))
    }
}

/// The code for records with too many outputs.
const TOO_MANY: &str = "too-many-outputs";

fn permanent(code: &str, text: String) -> Failure {
    Failure { class: FailureClass::Permanent, code: code.into(), text }
}

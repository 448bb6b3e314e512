//! What its topic or store doesn't take, and fails instead of standing in the way of a commit for ever.

use super::item::Record;
use super::{Step, TaskError};
use crate::path::Path;
use crate::ports::{Failure, FailureClass, StoreId};
use crate::topology::TopicId;

impl Step<'_> {
    /// Most bytes of key, value and headers that a record of this topic may have.
    pub(crate) fn record_limit(&self, topic: TopicId) -> usize {
        self.options.record_bytes.get(topic.0).copied().unwrap_or(usize::MAX)
    }

    /// Puts a record out of the task, to the partition of `key`, unless its topic doesn't take it: because it is too large,
    /// or has refused it before. Then it fails here.
    pub(crate) fn put_out(
        &mut self,
        path: Path,
        topic: TopicId,
        record: Record,
        key: Option<&[u8]>,
    ) -> Result<(), TaskError> {
        let (size, limit) = (record.whole_size(), self.record_limit(topic));
        let name = || self.topology.topics.get(topic.0).map_or("", |topic| topic.name.as_str());
        if size > limit {
            let text =
                format!("the record has {size} bytes with its headers, and the topic `{}` takes {limit}", name());
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

    /// Why an entry with a key and a value of these lengths can't be in a store, if it can't.
    pub(crate) fn misfit_of_state(&self, store: StoreId, key: usize, value: usize) -> Option<Failure> {
        let (size, limit) = (key.saturating_add(value), self.options.state_bytes);
        if size <= limit {
            return None;
        }
        let name = self.topology.stores.get(store.0).map_or("", |store| store.name.as_str());
        let text = format!("its entry in the store `{name}` would have {size} bytes, and {limit} are the most");
        Some(permanent("state-too-large", text))
    }
}

fn permanent(code: &str, text: String) -> Failure {
    Failure { class: FailureClass::Permanent, code: code.into(), text }
}

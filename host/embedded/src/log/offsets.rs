//! Committed offsets of apps, and control entries: what the driver records about the app and its deployments.

use bytes::Bytes;
use millrace_engine::ports::Scan;
use millrace_store::Batch;

use crate::log::{CONTROL, Log, LogError, LogTopicId, OFFSETS, keys};

impl Log {
    /// Puts into the batch the offset of the record that the app reads next in a partition.
    ///
    /// # Errors
    /// [`LogError::Invalid`]: the name of the app has more than 65,535 bytes.
    pub fn commit_offset(
        &self,
        batch: &mut Batch,
        app: &str,
        topic: LogTopicId,
        partition: u32,
        next: i64,
    ) -> Result<(), LogError> {
        let key = keys::offset(app, topic, partition).ok_or_else(|| LogError::Invalid {
            topic: topic.0.to_string(),
            reason: "the name of the app has more than 65,535 bytes",
        })?;
        Ok(batch.put(OFFSETS, &key, &next.to_be_bytes())?)
    }

    /// The offset of the record that the app reads next in a partition; `None`: it has never committed one.
    ///
    /// # Errors
    /// [`LogError::Corrupt`]: the entry isn't an offset. [`LogError::Store`]: it can't be read.
    pub fn committed(&self, app: &str, topic: LogTopicId, partition: u32) -> Result<Option<i64>, LogError> {
        let Some(key) = keys::offset(app, topic, partition) else { return Ok(None) };
        let Some(value) = self.database.get(OFFSETS, &key)? else { return Ok(None) };
        let reason = "the committed offset is damaged";
        match value.as_ref().try_into() {
            Ok(offset) => Ok(Some(i64::from_be_bytes(offset))),
            Err(_) => Err(LogError::Corrupt { topic, partition, offset: 0, reason }),
        }
    }

    /// Sets a control entry.
    ///
    /// # Errors
    /// The database has no such family.
    pub fn put_control(&self, batch: &mut Batch, key: &[u8], value: &[u8]) -> Result<(), LogError> {
        Ok(batch.put(CONTROL, key, value)?)
    }

    /// Deletes a control entry.
    ///
    /// # Errors
    /// The database has no such family.
    pub fn delete_control(&self, batch: &mut Batch, key: &[u8]) -> Result<(), LogError> {
        Ok(batch.delete(CONTROL, key)?)
    }

    /// A control entry.
    ///
    /// # Errors
    /// [`LogError::Store`]: it can't be read.
    pub fn control(&self, key: &[u8]) -> Result<Option<Bytes>, LogError> {
        Ok(self.database.get(CONTROL, key)?)
    }

    /// The control entries whose keys begin with `prefix`, by key.
    ///
    /// # Errors
    /// [`LogError::Store`]: they can't be read.
    pub fn controls(&self, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, LogError> {
        let mut found = Vec::new();
        self.database.scan(CONTROL, prefix, None, &mut |key, value| {
            if !key.starts_with(prefix) {
                return Scan::Stop;
            }
            found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            Scan::Continue
        })?;
        Ok(found)
    }
}

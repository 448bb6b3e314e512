//! Committed offsets of apps, and what drivers keep of deployments.

use bytes::Bytes;
use millrace_engine::ports::Scan;
use millrace_store::Batch;

use crate::log::{CONTROL, Log, LogError, OFFSETS, TopicId, keys};

impl Log {
    /// Notes in the batch which record of a partition the app reads next.
    ///
    /// # Errors
    /// [`LogError::Invalid`]: the name of the app has more than 65,535 bytes.
    pub fn commit_offset(
        &self,
        batch: &mut Batch,
        app: &str,
        topic: TopicId,
        partition: u32,
        next: i64,
    ) -> Result<(), LogError> {
        let key = keys::offset(app, topic, partition).ok_or_else(|| LogError::Invalid {
            topic: topic.0.to_string(),
            reason: "the name of the app has more than 65,535 bytes",
        })?;
        Ok(batch.put(OFFSETS, &key, &next.to_be_bytes())?)
    }

    /// The record of a partition that the app reads next; `None`: it has never committed.
    ///
    /// # Errors
    /// [`LogError::Corrupt`]: what is stored isn't an offset. [`LogError::Store`]: it can't be read.
    pub fn committed(&self, app: &str, topic: TopicId, partition: u32) -> Result<Option<i64>, LogError> {
        let Some(key) = keys::offset(app, topic, partition) else { return Ok(None) };
        let Some(value) = self.database.get(OFFSETS, &key)? else { return Ok(None) };
        let reason = "the committed offset is damaged";
        match value.as_ref().try_into() {
            Ok(offset) => Ok(Some(i64::from_be_bytes(offset))),
            Err(_) => Err(LogError::Corrupt { topic, partition, offset: 0, reason }),
        }
    }

    /// Sets an entry of what the driver keeps of deployments.
    ///
    /// # Errors
    /// The database has no such family.
    pub fn put_control(&self, batch: &mut Batch, key: &[u8], value: &[u8]) -> Result<(), LogError> {
        Ok(batch.put(CONTROL, key, value)?)
    }

    /// Deletes an entry of what the driver keeps of deployments.
    ///
    /// # Errors
    /// The database has no such family.
    pub fn delete_control(&self, batch: &mut Batch, key: &[u8]) -> Result<(), LogError> {
        Ok(batch.delete(CONTROL, key)?)
    }

    /// An entry of what the driver keeps of deployments.
    ///
    /// # Errors
    /// [`LogError::Store`]: it can't be read.
    pub fn control(&self, key: &[u8]) -> Result<Option<Bytes>, LogError> {
        Ok(self.database.get(CONTROL, key)?)
    }

    /// The entries whose key begins with `prefix`, in order.
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

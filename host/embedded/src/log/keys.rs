//! Keys in the database. Numbers are big-endian, so that keys sort by them.

use crate::log::LogTopicId;

/// Key of a block of records.
pub(crate) fn block(topic: LogTopicId, partition: u32, offset: i64) -> [u8; 16] {
    let mut key = [0; 16];
    let parts = [&topic.0.to_be_bytes()[..], &partition.to_be_bytes(), &offset.to_be_bytes()];
    for (to, from) in key.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    key
}

/// The offset in a block's key.
pub(crate) fn block_offset(key: &[u8]) -> Option<i64> {
    key.last_chunk().map(|offset| i64::from_be_bytes(*offset))
}

/// Key of a committed offset. `None`: the name of the app is too long for one.
pub(crate) fn offset(app: &str, topic: LogTopicId, partition: u32) -> Option<Vec<u8>> {
    let length = u16::try_from(app.len()).ok()?;
    let parts = [&length.to_be_bytes()[..], app.as_bytes(), &topic.0.to_be_bytes(), &partition.to_be_bytes()];
    Some(parts.concat())
}

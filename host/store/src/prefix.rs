//! Prefixes of the keys in a window store: partition, part and the record's key. Files and write buffers have bloom
//! filters of the prefixes, so that a scan of one record's key skips files without it.

use millrace_engine::state::keys::decode_window_key;
use rocksdb::{ReadOptions, SliceTransform};

/// Bytes after the record's key: timestamp and sequence.
const SUFFIX_BYTES: usize = 16;

/// The prefix of a key in a window store. Keys of another layout have none, and aren't looked up in filters.
fn prefix(key: &[u8]) -> Option<&[u8]> {
    let (_partition, entry) = key.split_first_chunk::<4>()?;
    decode_window_key(entry)?;
    key.get(..key.len().checked_sub(SUFFIX_BYTES)?)
}

/// The prefix extractor for a window store. Its name is written into files: another layout needs another name.
pub(crate) fn extractor() -> SliceTransform {
    SliceTransform::create("millrace.window", |key| prefix(key).unwrap_or(key), Some(|key| prefix(key).is_some()))
}

/// Lets an iterator skip files by their filters only if its range has a single prefix. With an extractor, RocksDB would
/// do so for any range, and miss entries.
pub(crate) fn set_order(options: &mut ReadOptions, from: &[u8], to: Option<&[u8]>) {
    let is_of_one = to.and_then(prefix).is_some_and(|end| prefix(from) == Some(end));
    options.set_total_order_seek(!is_of_one);
}

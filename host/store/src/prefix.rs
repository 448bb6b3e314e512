//! What the keys of a window store begin with: partition, part and the record's key. Files and write buffers have filters
//! of that, so that a range of times of one key is looked for only where the key is.

use millrace_engine::state::keys::decode_window_key;
use rocksdb::{ReadOptions, SliceTransform};

/// Bytes behind the record's key: timestamp and sequence.
const TAIL: usize = 16;

/// What a key of a window store begins with. `None` for those of another layout, which no filter is asked for.
fn prefix(key: &[u8]) -> Option<&[u8]> {
    let (_partition, entry) = key.split_first_chunk::<4>()?;
    decode_window_key(entry)?;
    key.get(..key.len().checked_sub(TAIL)?)
}

/// For the settings of a window store's family. The name is written into the files: another layout needs another.
pub(crate) fn extractor() -> SliceTransform {
    SliceTransform::create("millrace.window", |key| prefix(key).unwrap_or(key), Some(|key| prefix(key).is_some()))
}

/// For an iterator over a range: whether filters may leave files out. With an extractor that is what RocksDB does unless
/// it is told otherwise, also where a range has more than one prefix, and then entries are missing.
pub(crate) fn set_order(options: &mut ReadOptions, from: &[u8], to: Option<&[u8]>) {
    let is_of_one = to.and_then(prefix).is_some_and(|end| prefix(from) == Some(end));
    options.set_total_order_seek(!is_of_one);
}

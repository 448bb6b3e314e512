//! Batches of groups for calls.

use crate::calls::MAX_CALL_BYTES;

/// Splits groups into batches for calls, bounded in records and bytes, but at least one group each. `size` returns a
/// group's number of records and bytes.
pub(super) fn batches<T>(groups: &[T], batch: usize, size: impl Fn(&T) -> (usize, usize)) -> Vec<&[T]> {
    let (mut all, mut rest) = (Vec::new(), groups);
    while !rest.is_empty() {
        let (mut records, mut bytes) = (0, 0);
        let fits = rest.iter().take_while(|group| {
            let (more, larger) = size(group);
            (records, bytes) = (records + more, bytes + larger);
            records <= batch && bytes <= MAX_CALL_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        all.push(now);
        rest = later;
    }
    all
}

//! Whether the keys of an input are in the partitions that Kafka's default partitioner gives them.
//!
//! Records of one key from several topics meet only in partitions of the same number. Clients choose these by different
//! hashes: Java's by murmur2, as this app does where it writes, those on librdkafka by CRC32 unless they are told
//! otherwise. Records that never meet are no error that shows; so a sample of the keys is checked.

use millrace_engine::partitioner::partition_of;

/// So many records of an input are looked at from the first on.
const FIRST_SAMPLED: u32 = 100;

/// Of those behind, one in so many.
const SAMPLED_ONE_IN: u32 = 1_000;

/// Looks at a sample of the keys of an input partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeySample {
    partition: u32,
    /// Of the topic.
    partitions: u32,
    looked: u32,
    /// How many records aren't looked at before the next one is.
    skip: u32,
}

impl KeySample {
    pub(super) fn new(partition: u32, partitions: u32) -> Self {
        Self { partition, partitions, looked: 0, skip: 0 }
    }

    /// The partition that the key of a record is expected in, if the record is one of the sample and is in another one.
    pub(super) fn look(&mut self, key: Option<&[u8]>) -> Option<u32> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.looked = self.looked.saturating_add(1);
        self.skip = if self.looked < FIRST_SAMPLED { 0 } else { SAMPLED_ONE_IN - 1 };
        let expected = partition_of(Some(key?), 0, self.partitions);
        (expected != self.partition).then_some(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many records are found in another partition than theirs.
    fn found(mut sample: KeySample, keys: impl Iterator<Item = Option<Vec<u8>>>) -> usize {
        keys.filter(|key| sample.look(key.as_deref()).is_some()).count()
    }

    #[test]
    fn keys_that_murmur2_has_put_there_are_no_news() {
        let in_it = |key: &i64| partition_of(Some(&key.to_be_bytes()), 0, 4) == 2;
        let keys = (0..10_000_i64).filter(in_it).map(|key| Some(key.to_be_bytes().to_vec()));
        assert_eq!(found(KeySample::new(2, 4), keys), 0);
    }

    #[test]
    fn the_first_records_and_one_in_a_thousand_are_looked_at() {
        // Of four partitions, an empty key belongs to partition 1.
        let empty = || std::iter::repeat_n(Some(Vec::new()), 3_100);
        assert_eq!(KeySample::new(0, 4).look(Some(&[])), Some(1));
        assert_eq!(found(KeySample::new(0, 4), empty()), 103);
        assert_eq!(found(KeySample::new(1, 4), empty()), 0);
    }

    #[test]
    fn records_without_a_key_belong_anywhere() {
        assert_eq!(found(KeySample::new(0, 4), std::iter::repeat_n(None, 200)), 0);
    }
}

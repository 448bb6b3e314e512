//! The partition of an output, chosen as in the JVM's producer.

/// Kafka's murmur2 hash of a key.
///
/// From `org.apache.kafka.common.utils.Utils.murmur2`; librdkafka's `murmur2_random` is the same.
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = chunk.iter().rev().fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let tail = chunks.remainder();
    if !tail.is_empty() {
        hash ^= tail.iter().rev().fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a record among `partitions`. For a record without a key, `sequence` decides: a number of its input
/// record, so that the choice is the same in every replay.
pub fn partition_of(key: Option<&[u8]>, sequence: i64, partitions: u32) -> u32 {
    let partitions = partitions.max(1);
    match key {
        Some(key) => (murmur2(key) & 0x7fff_ffff) % partitions,
        None => (sequence as u64 % u64::from(partitions)) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_equal_to_the_jvm_producers() {
        // The cases of Kafka's own UtilsTest.testMurmur2.
        let cases: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key) as i32, hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn records_without_a_key_are_spread_by_sequence() {
        assert_eq!((0..4).map(|n| partition_of(None, n, 3)).collect::<Vec<_>>(), [0, 1, 2, 0]);
    }
}

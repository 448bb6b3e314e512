//! What is kept with a committed offset: the partition's time, as Kafka Streams writes it (`TopicPartitionMetadata`,
//! version 1): a byte for the version and eight for the highest timestamp processed, big-endian, in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use millrace_engine::record::Timestamp;

const VERSION: u8 = 1;

pub(crate) fn encode(time: Timestamp) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&time.to_be_bytes());
    BASE64.encode(bytes)
}

/// The time; `None` if somebody else wrote something else there. Kafka Streams' version 2 begins like version 1.
pub(crate) fn decode(text: &str) -> Option<Timestamp> {
    let bytes = BASE64.decode(text).ok()?;
    let (version, rest) = bytes.split_first()?;
    let time = Timestamp::from_be_bytes(*rest.first_chunk()?);
    (matches!(*version, 1 | 2) && time >= 0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_and_what_others_wrote_is_no_time() {
        assert_eq!(encode(1_700_000_000_000), "AQAAAYvP5WgA");
        for time in [0, 1, 1_700_000_000_000, i64::MAX] {
            assert_eq!(decode(&encode(time)), Some(time));
        }
        for text in ["", "AQ==", "hello", "AwAAAYvP5WgA", "AQD/"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode(&BASE64.encode([2, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3])), Some(9));
    }
}

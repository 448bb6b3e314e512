//! The metadata of a committed offset: the partition's time, as Kafka Streams writes it (`TopicPartitionMetadata`,
//! version 1): a byte for the version and eight for the highest timestamp processed, big-endian, in base64. Behind it
//! stand, as text, the id of the topic that the offset is one of and the id of the app's meta changelog, divided by a
//! space: Kafka Streams ignores them. Then a word for each plugin that has processed the records before, with its
//! generation, such as `7=order-status`. The word `rest` says that the commit lies in the middle of a run: the rest of that run is kept
//! with the state, although the offset lies after all of its records. An offset that a person has set has no metadata.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use millrace_engine::record::Timestamp;

const VERSION: u8 = 1;

/// Stands for no time.
const NO_TIME: Timestamp = -1;

/// The last word where a run isn't done.
const REST: &str = "rest";

/// The metadata of an offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// Highest timestamp processed.
    pub(crate) time: Option<Timestamp>,
    /// Its origin; none if the app hasn't committed it itself.
    pub(crate) origin: Option<Origin>,
    /// The generations of the plugins that have processed the records before, by name.
    pub(crate) generations: BTreeMap<String, u32>,
    /// Whether a run isn't done.
    pub(crate) unfinished: bool,
}

/// The origin of an offset: both ids change when a topic is deleted and made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Id of the topic that it is an offset of.
    pub(crate) topic: String,
    /// Id of the app's meta changelog: of one life of the app, which ends with a reset.
    pub(crate) life: String,
}

pub(crate) fn encode(
    time: Option<Timestamp>,
    origin: &Origin,
    generations: &BTreeMap<String, u32>,
    unfinished: bool,
) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&time.unwrap_or(NO_TIME).to_be_bytes());
    bytes.extend_from_slice(origin.topic.as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(origin.life.as_bytes());
    for (plugin, generation) in generations {
        // A space ends a word.
        let plugin = plugin.replace('%', "%25").replace(' ', "%20");
        bytes.extend_from_slice(format!(" {generation}={plugin}").as_bytes());
    }
    if unfinished {
        bytes.extend_from_slice(format!(" {REST}").as_bytes());
    }
    BASE64.encode(bytes)
}

/// An empty note for metadata of another kind. Kafka Streams' version 2 begins like version 1.
pub(crate) fn decode(text: &str) -> Note {
    read(text).unwrap_or_default()
}

fn read(text: &str) -> Option<Note> {
    let bytes = BASE64.decode(text).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (time, rest) = rest.split_first_chunk()?;
    let time = Timestamp::from_be_bytes(*time);
    if !matches!(*version, 1 | 2) {
        return None;
    }
    let text = std::str::from_utf8(rest).ok().filter(|_| *version == VERSION);
    let mut note = Note { time: (time >= 0).then_some(time), ..Note::default() };
    let mut words = text.unwrap_or_default().split(' ');
    if let (Some(topic), Some(life)) = (words.next(), words.next()) {
        note.origin = Some(Origin { topic: topic.into(), life: life.into() });
    }
    for word in words {
        note.unfinished |= word == REST;
        let generation = |(generation, plugin): (&str, &str)| {
            Some((plugin.replace("%20", " ").replace("%25", "%"), generation.parse().ok()?))
        };
        note.generations.extend(word.split_once('=').and_then(generation));
    }
    Some(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_origins_survive_and_other_metadata_has_neither() {
        let origin = Origin { topic: "a/+id".into(), life: "life".into() };
        for time in [None, Some(0), Some(1), Some(1_700_000_000_000), Some(i64::MAX)] {
            for (plugins, unfinished) in [(&[][..], false), (&[], true), (&["rest"], false), (&["a b%20", "c=d"], true)]
            {
                let generations = plugins.iter().map(|plugin| ((*plugin).to_owned(), 7)).collect();
                let note = Note { time, origin: Some(origin.clone()), generations, unfinished };
                assert_eq!(decode(&encode(time, &origin, &note.generations, unfinished)), note);
            }
        }
        for text in ["", "AQ==", "hello", "AwAAAYvP5WgA"] {
            assert_eq!(decode(text), Note::default(), "{text}");
        }
    }

    #[test]
    fn metadata_of_kafka_streams_has_a_time_and_no_origin() {
        let time = |time| Note { time: Some(time), ..Note::default() };
        assert_eq!(decode("AQAAAYvP5WgA"), time(1_700_000_000_000));
        assert_eq!(decode(&BASE64.encode([2, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, b' '])), time(9));
        assert!(
            encode(Some(1_700_000_000_000), &Origin { topic: "t".into(), life: "l".into() }, &BTreeMap::new(), false)
                .starts_with("AQAAAYvP5WgA")
        );
    }
}

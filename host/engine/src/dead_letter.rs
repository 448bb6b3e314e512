//! Dead letters: the original record, with headers about its failure.
//!
//! A dead letter has the time of the failure, so that its topic retains it as long as other records, however old the
//! original record is. A header has the original's time.
//!
//! There are three sets of headers, for existing tools: those of Kafka Streams (`__streams.errors.*`, values as text,
//! KIP-1034), those of Spring (`kafka_dlt-*`, numbers as big-endian bytes, `DeadLetterPublishingRecoverer`), and ours
//! (`millrace-*`, text) for the rest.
//!
//! If a dead letter is too large for its topic, it loses parts until it fits: first the value, then the original
//! headers, then the key. For each, one of our headers has the number of bytes omitted; other headers say where the
//! original is. Texts are cut before the headers and the key are omitted, but stay long enough to be useful.

mod headers;

use bytes::Bytes;

use crate::ports::Failure;
use crate::record::{Header, Headers, InputRecord, Record, Timestamp, length};
pub(crate) use headers::Failed;
pub use headers::is_dead_letter_header;
use headers::{headers, original_headers, text};

/// The dead letter of a record, for a topic with records of up to `limit` bytes. The headers about the failure are
/// about 2 KiB: if they don't fit, the dead letter exceeds the limit.
pub(crate) fn letter(record: &InputRecord, failed: &Failed<'_>, limit: usize) -> Record {
    let mut draft = LetterDraft {
        key: record.key.clone(),
        value: record.value.clone(),
        timestamp: failed.at.max(0),
        headers: original_headers(&record.headers),
        omitted: Vec::new(),
    };
    let whole = draft.letter(failed);
    if whole.whole_size() <= limit {
        return whole;
    }
    let omissions: [fn(&mut LetterDraft); 3] =
        [LetterDraft::omit_value, LetterDraft::omit_headers, LetterDraft::omit_key];
    for omission in omissions {
        omission(&mut draft);
        let room = draft.room_for_text(failed, limit);
        if room >= failed.failure.text.len().min(SHORTEST_TEXT) {
            return draft.short_letter(failed, room);
        }
    }
    draft.short_letter(failed, draft.room_for_text(failed, limit))
}

/// Number of headers with the failure's text.
const COPIES: usize = 3;

/// Bytes of a failure's text that count more than the original headers and key.
const SHORTEST_TEXT: usize = 200;

/// Most bytes of a code in a shortened dead letter: rules may have codes of any length.
const LONGEST_CODE: usize = 100;

/// A dead letter without the headers about its failure.
struct LetterDraft {
    key: Option<Bytes>,
    value: Option<Bytes>,
    timestamp: Timestamp,
    /// Headers of the original record.
    headers: Headers,
    /// Headers about omitted parts.
    omitted: Vec<Header>,
}

impl LetterDraft {
    fn letter(&self, failed: &Failed<'_>) -> Record {
        let (key, value) = (self.key.clone(), self.value.clone());
        let headers = headers(&self.headers, failed, &self.omitted);
        Record { key, value, timestamp: self.timestamp, headers, window: None }
    }

    /// The dead letter with at most `room` bytes of the failure's text.
    fn short_letter(&self, failed: &Failed<'_>, room: usize) -> Record {
        let Failure { class, code, text } = failed.failure;
        let failure = Failure { class: *class, code: cut(code, LONGEST_CODE), text: cut(text, room) };
        self.letter(&Failed { failure: &failure, ..*failed })
    }

    /// Bytes of the failure's text that fit into the limit.
    fn room_for_text(&self, failed: &Failed<'_>, limit: usize) -> usize {
        limit.saturating_sub(self.short_letter(failed, 0).whole_size()) / COPIES
    }

    fn omit_value(&mut self) {
        let bytes = length(&self.value);
        self.value = None;
        self.omit("millrace-value-omitted", bytes);
    }

    fn omit_headers(&mut self) {
        let bytes = self.headers.size();
        self.headers = Headers::EMPTY;
        self.omit("millrace-headers-omitted", bytes);
    }

    fn omit_key(&mut self) {
        let bytes = length(&self.key);
        self.key = None;
        self.omit("millrace-key-omitted", bytes);
    }

    /// Adds a header about an omitted part, if that had bytes.
    fn omit(&mut self, name: &'static str, bytes: usize) {
        if bytes > 0 {
            text(&mut self.omitted, name, bytes.to_string());
        }
    }
}

/// At most `most` bytes of a text, with dots at the end if it is cut.
fn cut(text: &str, most: usize) -> String {
    const MARK: &str = "...";
    match text.len() <= most {
        true => text.to_owned(),
        false if most < MARK.len() => String::new(),
        false => {
            let (kept, _) = text.split_at(text.floor_char_boundary(most - MARK.len()));
            format!("{kept}{MARK}")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ports::FailureClass;
    use crate::provenance::Origin;
    use crate::record::TimestampType;

    /// The dead letter of a record with parts of these lengths, and this failure text.
    fn letter_of(key: usize, value: usize, headers: usize, text: &str, limit: usize) -> Record {
        let headers = vec![Header { name: Bytes::from("own"), value: Some(Bytes::from(vec![b'x'; headers])) }];
        letter_with(key, value, headers.into(), text, limit)
    }

    fn letter_with(key: usize, value: usize, headers: Headers, text: &str, limit: usize) -> Record {
        let some = |length: usize| Some(Bytes::from(vec![b'x'; length]));
        let record = InputRecord {
            offset: 41,
            timestamp: 7,
            timestamp_type: TimestampType::CreateTime,
            key: some(key),
            value: some(value),
            headers,
            arrived: 8,
            turn: 0,
        };
        let origin = Origin {
            topic: Bytes::from("payments"),
            partition: 3,
            offset: 41,
            timestamp: 7,
            timestamp_type: TimestampType::CreateTime,
        };
        let failure = Failure { class: FailureClass::Permanent, code: "bad".into(), text: text.into() };
        let plugin = Some(("rule", "0123"));
        let failed =
            Failed { app: "app", step: "step", plugin, failure: &failure, origin: &origin, at: 8, timestamp: 7 };
        letter(&record, &failed, limit)
    }

    fn header<'l>(letter: &'l Record, name: &str) -> Option<&'l str> {
        std::str::from_utf8(letter.headers.last(name.as_bytes())?.value.as_ref()?).ok()
    }

    fn omitted(letter: &Record) -> [Option<&str>; 3] {
        ["value", "headers", "key"].map(|part| header(letter, &format!("millrace-{part}-omitted")))
    }

    #[test]
    fn a_dead_letter_that_fails_again_has_headers_about_the_last_failure_only() {
        let mut headers = vec![Header::new("own", "1"), Header::new("millrace-window-start", vec![0; 8])];
        let first = letter_with(5, 5_000, headers.clone().into(), "first", 3_000);
        headers.extend_from_slice(first.headers.as_slice());
        let again = letter_with(5, 500, first.headers, "second", usize::MAX);
        let mut names: Vec<_> = again.headers.as_slice().iter().map(|header| header.name.clone()).collect();
        assert_eq!(names.get(..2), Some(&[Bytes::from("own"), Bytes::from("millrace-window-start")][..]));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "each name occurs once");
        assert_eq!(header(&again, "__streams.errors.message"), Some("second"));
        assert_eq!(omitted(&again), [None, None, None]);
        let without_parts = letter_of(5_000, 0, 5_000, "first", 3_000);
        assert_eq!(omitted(&without_parts), [None, Some("5003"), Some("5000")]);
        let letter = letter_with(5, 500, without_parts.headers, "second", usize::MAX);
        assert_eq!(omitted(&letter), [None, None, None], "they were about the first failure");
        let fresh = letter_with(5, 500, headers.drain(..2).collect::<Vec<_>>().into(), "second", usize::MAX);
        assert_eq!(again.headers, fresh.headers);
    }

    #[test]
    fn a_dead_letter_that_fits_has_all_parts() {
        let letter = letter_of(5, 500, 50, "why", usize::MAX);
        assert_eq!((length(&letter.key), length(&letter.value)), (5, 500));
        assert_eq!(
            (letter.timestamp, header(&letter, "millrace-timestamp")),
            (8, Some("7")),
            "time of the failure, and time of the record"
        );
        assert_eq!(omitted(&letter), [None, None, None]);
        let exact = letter_of(5, 500, 50, "why", letter.whole_size());
        assert_eq!(exact.value, letter.value);
    }

    #[test]
    fn a_dead_letter_that_is_too_large_omits_its_value_and_has_its_size_and_origin() {
        let letter = letter_of(5, 5_000, 50, "why", 3_000);
        assert!(letter.whole_size() <= 3_000);
        assert_eq!(letter.value, None);
        assert_eq!(omitted(&letter), [Some("5000"), None, None]);
        assert_eq!(header(&letter, "__streams.errors.topic"), Some("payments"));
        assert_eq!(header(&letter, "__streams.errors.partition"), Some("3"));
        assert_eq!(header(&letter, "__streams.errors.offset"), Some("41"));
        assert_eq!(header(&letter, "__streams.errors.message"), Some("why"));
        assert!(header(&letter, "own").is_some());
    }

    #[test]
    fn texts_of_a_dead_letter_without_a_value_are_cut_to_fit() {
        let text = "\u{17c}".repeat(5_000);
        for limit in 3_000..3_010 {
            let letter = letter_of(5, 5_000, 50, &text, limit);
            let size = letter.whole_size();
            assert!(size <= limit && size + 3 * COPIES > limit, "{size} of {limit}");
            assert_eq!(omitted(&letter), [Some("5000"), None, None]);
            let message = header(&letter, "__streams.errors.message").unwrap();
            assert!(message.ends_with("\u{17c}...") && text.starts_with(message.trim_end_matches('.')));
            assert_eq!(header(&letter, "kafka_dlt-exception-message"), Some(message));
            assert_eq!(header(&letter, "millrace-error-message"), Some(message));
        }
    }

    #[test]
    fn a_dead_letter_omits_original_headers_and_key_before_the_reason() {
        let text = "why ".repeat(100);
        let letter = letter_of(5, 5_000, 5_000, &text, 3_000);
        assert_eq!(omitted(&letter), [Some("5000"), Some("5003"), None]);
        assert_eq!(header(&letter, "own"), None);
        assert_eq!(header(&letter, "millrace-error-code"), Some("bad"));
        assert_eq!(header(&letter, "millrace-error-message"), Some(text.as_str()));
        assert_eq!(header(&letter, "__streams.errors.message"), Some(text.as_str()));

        let letter = letter_of(5_000, 0, 5_000, &text, 3_000);
        assert_eq!(omitted(&letter), [None, Some("5003"), Some("5000")]);
        assert_eq!((letter.key.is_none(), letter.value.is_none()), (true, true));
        assert!(letter.whole_size() <= 3_000);
    }

    #[test]
    fn a_dead_letter_without_optional_parts_has_about_two_kilobytes() {
        let letter = letter_of(5_000, 5_000, 5_000, &"why ".repeat(1_000), 0);
        assert!(letter.whole_size() < 2_048, "{}", letter.whole_size());
    }
}

//! Dead letters: the original record, with headers that say what happened to it.
//!
//! A letter has the time of the failure, so that its topic keeps it for as long as it keeps records, however old the
//! original is. The time of that is in a header.
//!
//! Three sets of headers, so that existing tools read them: those of Kafka Streams (`__streams.errors.*`, values as text,
//! KIP-1034), those of Spring (`kafka_dlt-*`, numbers as big-endian bytes, `DeadLetterPublishingRecoverer`), and ours
//! (`millrace-*`, text) for what neither has.
//!
//! A letter that is larger than its topic takes loses what can be spared, until it fits: first the value, then headers of
//! the original record, then the key. For each, a header of ours gives the bytes that were left out; where the original
//! is stands in the others. Texts are cut before anything but the value is left out, though not to less than says
//! something.

use bytes::Bytes;

use crate::ports::{Failure, FailureClass};
use crate::provenance::Origin;
use crate::record::Record;
use crate::record::{Header, Headers, InputRecord, Timestamp, length};

/// Who failed on it, for the headers.
#[derive(Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) app: &'a str,
    pub(crate) step: &'a str,
    /// Name and component digest of the plugin, where one was called.
    pub(crate) plugin: Option<(&'a str, &'a str)>,
    pub(crate) failure: &'a Failure,
    pub(crate) origin: &'a Origin,
    /// The driver's clock when the record arrived.
    pub(crate) at: Timestamp,
    /// The time of the record that the letter shows. It is another one than that of the origin where a step has made it.
    pub(crate) timestamp: Timestamp,
}

/// The dead letter of a record for a topic that takes records of up to `limit` bytes. Ours alone are about 2 KiB: if not
/// even they fit, the letter is larger than the limit.
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
    let spares: [fn(&mut LetterDraft); 3] =
        [LetterDraft::spare_value, LetterDraft::spare_headers, LetterDraft::spare_key];
    for spare in spares {
        spare(&mut draft);
        let room = draft.room_for_text(failed, limit);
        if room >= failed.failure.text.len().min(SHORTEST_TEXT) {
            return draft.short_letter(failed, room);
        }
    }
    draft.short_letter(failed, draft.room_for_text(failed, limit))
}

/// The headers of a record without those of another letter: where a letter is sent round again and fails again, its headers
/// are about this failure, and there is one set of them. Many readers take the first header of a name.
fn original_headers(headers: &Headers) -> Headers {
    let own = Origin::strip(headers).unwrap_or_else(|| headers.clone());
    if !own.as_slice().iter().any(is_of_a_letter) {
        return own;
    }
    let others = own.as_slice().iter().filter(|header| !is_of_a_letter(header));
    others.cloned().collect::<Vec<_>>().into()
}

/// Whether a letter has a header of this name.
fn is_of_a_letter(header: &Header) -> bool {
    let Ok(name) = std::str::from_utf8(&header.name) else { return false };
    name.starts_with("__streams.errors.")
        || name.starts_with("kafka_dlt-")
        || name.strip_prefix("millrace-").is_some_and(|name| OURS.contains(&name))
}

/// Names of our headers, behind `millrace-`.
const OURS: [&str; 12] = [
    "step",
    "plugin",
    "plugin-digest",
    "error-class",
    "error-message",
    "error-code",
    "attempts",
    "timestamp",
    "failed-at",
    "value-omitted",
    "headers-omitted",
    "key-omitted",
];

/// How often the failure's text stands in the headers.
const COPIES: usize = 3;

/// Bytes of a failure's text that are worth more than what else could be left out.
const SHORTEST_TEXT: usize = 200;

/// Longest code in a letter that didn't fit: rules make up their own.
const LONGEST_CODE: usize = 100;

/// What goes into a letter beside the reason.
struct LetterDraft {
    key: Option<Bytes>,
    value: Option<Bytes>,
    timestamp: Timestamp,
    /// Those of the original record.
    headers: Headers,
    /// What was left out.
    omitted: Vec<Header>,
}

impl LetterDraft {
    fn letter(&self, failed: &Failed<'_>) -> Record {
        let (key, value) = (self.key.clone(), self.value.clone());
        let headers = headers(&self.headers, failed, &self.omitted);
        Record { key, value, timestamp: self.timestamp, headers, window: None }
    }

    /// The letter with at most this many bytes of the failure's text.
    fn short_letter(&self, failed: &Failed<'_>, room: usize) -> Record {
        let Failure { class, code, text } = failed.failure;
        let failure = Failure { class: *class, code: cut(code, LONGEST_CODE), text: cut(text, room) };
        self.letter(&Failed { failure: &failure, ..*failed })
    }

    /// Bytes of the failure's text that the limit leaves room for.
    fn room_for_text(&self, failed: &Failed<'_>, limit: usize) -> usize {
        limit.saturating_sub(self.short_letter(failed, 0).whole_size()) / COPIES
    }

    fn spare_value(&mut self) {
        let bytes = length(&self.value);
        self.value = None;
        self.omit("millrace-value-omitted", bytes);
    }

    fn spare_headers(&mut self) {
        let bytes = self.headers.size();
        self.headers = Headers::EMPTY;
        self.omit("millrace-headers-omitted", bytes);
    }

    fn spare_key(&mut self) {
        let bytes = length(&self.key);
        self.key = None;
        self.omit("millrace-key-omitted", bytes);
    }

    /// Says what was left out, if it was anything.
    fn omit(&mut self, name: &'static str, bytes: usize) {
        if bytes > 0 {
            text(&mut self.omitted, name, bytes.to_string());
        }
    }
}

/// At most this many bytes of a text; one that is cut says so.
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

/// The headers of a dead letter: those of the original record, then ours.
fn headers(original: &Headers, failed: &Failed<'_>, omitted: &[Header]) -> Headers {
    let mut all = original.as_slice().to_vec();
    let exception = format!("millrace.{}", failed.failure.code);
    streams(&mut all, failed, &exception);
    spring(&mut all, failed, &exception);
    ours(&mut all, failed);
    all.extend_from_slice(omitted);
    all.into()
}

fn text(all: &mut Vec<Header>, name: &'static str, value: impl Into<String>) {
    all.push(Header::new(Bytes::from_static(name.as_bytes()), value.into()));
}

fn bytes(all: &mut Vec<Header>, name: &'static str, value: impl AsRef<[u8]>) {
    all.push(Header::new(Bytes::from_static(name.as_bytes()), Bytes::copy_from_slice(value.as_ref())));
}

fn streams(all: &mut Vec<Header>, failed: &Failed<'_>, exception: &str) {
    text(all, "__streams.errors.exception", exception);
    text(all, "__streams.errors.message", failed.failure.text.as_str());
    text(all, "__streams.errors.stacktrace", place(failed));
    bytes(all, "__streams.errors.topic", &failed.origin.topic);
    text(all, "__streams.errors.partition", failed.origin.partition.to_string());
    text(all, "__streams.errors.offset", failed.origin.offset.to_string());
}

fn spring(all: &mut Vec<Header>, failed: &Failed<'_>, exception: &str) {
    let origin = failed.origin;
    bytes(all, "kafka_dlt-original-topic", &origin.topic);
    bytes(all, "kafka_dlt-original-partition", origin.partition.to_be_bytes());
    bytes(all, "kafka_dlt-original-offset", origin.offset.to_be_bytes());
    bytes(all, "kafka_dlt-original-timestamp", origin.timestamp.to_be_bytes());
    text(all, "kafka_dlt-original-timestamp-type", origin.timestamp_type.name());
    text(all, "kafka_dlt-original-consumer-group", failed.app);
    text(all, "kafka_dlt-exception-fqcn", exception);
    text(all, "kafka_dlt-exception-message", failed.failure.text.as_str());
    text(all, "kafka_dlt-exception-stacktrace", place(failed));
}

fn ours(all: &mut Vec<Header>, failed: &Failed<'_>) {
    text(all, "millrace-step", failed.step);
    if let Some((name, digest)) = failed.plugin {
        text(all, "millrace-plugin", name);
        text(all, "millrace-plugin-digest", digest);
    }
    let class = match failed.failure.class {
        FailureClass::Permanent => "permanent",
        FailureClass::Transient => "transient",
    };
    text(all, "millrace-error-class", class);
    text(all, "millrace-error-code", failed.failure.code.as_str());
    text(all, "millrace-error-message", failed.failure.text.as_str());
    text(all, "millrace-attempts", "1");
    text(all, "millrace-timestamp", failed.timestamp.to_string());
    text(all, "millrace-failed-at", failed.at.to_string());
}

/// What stands for a stack trace: which step of which app, and whose code.
fn place(failed: &Failed<'_>) -> String {
    match failed.plugin {
        Some((name, digest)) => format!("at step {} of {}, plugin {name} ({digest})", failed.step, failed.app),
        None => format!("at step {} of {}", failed.step, failed.app),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::TimestampType;

    /// A letter for a record with this value, these bytes of headers of its own, and this failure text.
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
    fn a_letter_that_fails_again_has_one_set_of_headers_and_they_are_about_this_failure() {
        let mut headers = vec![Header::new("own", "1"), Header::new("millrace-window-start", vec![0; 8])];
        let first = letter_with(5, 5_000, headers.clone().into(), "first", 3_000);
        headers.extend_from_slice(first.headers.as_slice());
        let again = letter_with(5, 500, first.headers, "second", usize::MAX);
        let mut names: Vec<_> = again.headers.as_slice().iter().map(|header| header.name.clone()).collect();
        assert_eq!(names.get(..2), Some(&[Bytes::from("own"), Bytes::from("millrace-window-start")][..]));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "no name comes twice");
        assert_eq!(header(&again, "__streams.errors.message"), Some("second"));
        assert_eq!(omitted(&again), [None, None, None]);
        let without_parts = letter_of(5_000, 0, 5_000, "first", 3_000);
        assert_eq!(omitted(&without_parts), [None, Some("5003"), Some("5000")]);
        let letter = letter_with(5, 500, without_parts.headers, "second", usize::MAX);
        assert_eq!(omitted(&letter), [None, None, None], "these are about the first one");
        let fresh = letter_with(5, 500, headers.drain(..2).collect::<Vec<_>>().into(), "second", usize::MAX);
        assert_eq!(again.headers, fresh.headers);
    }

    #[test]
    fn a_letter_that_fits_is_whole() {
        let letter = letter_of(5, 500, 50, "why", usize::MAX);
        assert_eq!((length(&letter.key), length(&letter.value)), (5, 500));
        assert_eq!(
            (letter.timestamp, header(&letter, "millrace-timestamp")),
            (8, Some("7")),
            "when it failed, and its time"
        );
        assert_eq!(omitted(&letter), [None, None, None]);
        let exact = letter_of(5, 500, 50, "why", letter.whole_size());
        assert_eq!(exact.value, letter.value);
    }

    #[test]
    fn a_letter_that_is_too_large_leaves_its_value_out_and_says_how_large_it_was_and_where_it_is() {
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
    fn without_its_value_texts_are_cut_to_what_there_is_room_for() {
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
    fn headers_and_key_of_the_record_are_left_out_before_the_reason_is() {
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
    fn what_is_left_at_last_is_about_two_kilobytes() {
        let letter = letter_of(5_000, 5_000, 5_000, &"why ".repeat(1_000), 0);
        assert!(letter.whole_size() < 2_048, "{}", letter.whole_size());
    }
}

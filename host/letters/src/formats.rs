//! The headers of dead letters, by the system that writes them.
//!
//! | system | headers | numbers |
//! |---|---|---|
//! | Millrace | `millrace-*`, and those of Kafka Streams and Spring beside them | text |
//! | Kafka Streams (KIP-1034) | `__streams.errors.{exception,message,stacktrace,topic,partition,offset}` | text |
//! | Spring (`DeadLetterPublishingRecoverer`) | `kafka_dlt-original-{topic,partition,offset,timestamp}`, `kafka_dlt-exception-{fqcn,cause-fqcn,message}` | big-endian bytes |
//! | Connect (KIP-298, `DeadLetterQueueReporter`) | `__connect.errors.{topic,partition,offset,connector.name,task.id,stage,class.name,exception.class.name,exception.message}` | text |
//! | share groups (KIP-1191) | `__dlq.errors.{topic,partition,offset,group,delivery.count,message}` | text |

use millrace_engine::dead_letter::is_dead_letter_header;
use millrace_engine::record::{Header, Headers, InputRecord, Timestamp};

use crate::letter::{Format, Letter, LetterId, Source};

impl Letter {
    /// Reads a record of a dead-letter topic.
    pub fn read(id: LetterId, record: InputRecord) -> Self {
        let InputRecord { key, value, timestamp, headers, .. } = record;
        let all = Fields(&headers);
        let (format, about) = read(&all);
        let own: Vec<Header> = headers.as_slice().iter().filter(|it| !is_diagnostic(it)).cloned().collect();
        let failed_at = about.failed_at.unwrap_or(timestamp);
        // Kafka Streams and Connect give a letter the time of its record.
        let own_time = matches!(format, Format::KafkaStreams | Format::Connect).then_some(timestamp);
        let timestamp = about.letter.timestamp.or(own_time);
        Self { id, format, key, value, headers: own.into(), timestamp, failed_at, ..about.letter }
    }
}

/// The headers of a letter, by name: the last one of a name counts.
struct Fields<'h>(&'h Headers);

impl<'h> Fields<'h> {
    fn bytes(&self, name: &str) -> Option<&'h [u8]> {
        self.0.last(name.as_bytes())?.value.as_deref()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// A number that is written as text.
    fn number(&self, name: &str) -> Option<i64> {
        std::str::from_utf8(self.bytes(name)?).ok()?.parse().ok()
    }

    /// A number that is written as its big-endian bytes.
    fn binary(&self, name: &str) -> Option<i64> {
        match *self.bytes(name)? {
            [one] => Some(i64::from(one)),
            [a, b, c, d] => Some(i64::from(i32::from_be_bytes([a, b, c, d]))),
            ref eight => Some(i64::from_be_bytes(eight.try_into().ok()?)),
        }
    }

    fn has_any(&self, prefix: &str) -> bool {
        self.0.as_slice().iter().any(|header| header.name.starts_with(prefix.as_bytes()))
    }
}

/// A failure, as headers describe it.
#[derive(Default)]
struct About {
    letter: Letter,
    failed_at: Option<Timestamp>,
}

const STREAMS: &str = "__streams.errors.";
const SPRING: &str = "kafka_dlt-";
/// Spring's headers of records that wait for another attempt.
const SPRING_RETRY: &str = "retry_topic-";
const CONNECT: &str = "__connect.errors.";
const SHARE_GROUP: &str = "__dlq.errors.";

/// Whether a header is about the failure, and not the original record's own.
fn is_diagnostic(header: &Header) -> bool {
    // Ours has the headers of Kafka Streams and of Spring, too.
    let foreign = [SPRING_RETRY, CONNECT, SHARE_GROUP];
    is_dead_letter_header(header) || foreign.iter().any(|prefix| header.name.starts_with(prefix.as_bytes()))
}

/// The format of a letter, and the failure that its headers describe. A letter of Millrace has the headers of others, too:
/// its format is looked for first.
fn read(fields: &Fields<'_>) -> (Format, About) {
    let (format, mut about) = if fields.bytes("millrace-step").is_some() {
        (Format::Millrace, millrace(fields))
    } else if fields.has_any(STREAMS) {
        (Format::KafkaStreams, streams(fields))
    } else if fields.has_any(SPRING) {
        (Format::Spring, spring(fields))
    } else if fields.has_any(CONNECT) {
        (Format::Connect, connect(fields))
    } else if fields.has_any(SHARE_GROUP) {
        (Format::ShareGroup, share_group(fields))
    } else {
        (Format::Unknown, About::default())
    };
    about.letter.format = format;
    (format, about)
}

/// Most bytes of a text: further ones are cut. Those of a code, a name or a digest are shorter.
const LONGEST_TEXT: usize = 4_096;
const LONGEST_NAME: usize = 200;

/// A text of a header, not too long: other systems put whole records into theirs.
fn text(fields: &Fields<'_>, name: &str) -> String {
    cut(fields.text(name).unwrap_or_default(), LONGEST_TEXT)
}

/// A code, a name or a digest.
fn name(fields: &Fields<'_>, name: &str) -> String {
    cut(fields.text(name).unwrap_or_default(), LONGEST_NAME)
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

/// The class of an exception that is written as `class: message`, as `Throwable.toString` does.
fn class_of(exception: &str) -> String {
    let end = exception.find([':', '\n']).unwrap_or(exception.len());
    cut(exception.get(..end).unwrap_or_default().trim().to_owned(), LONGEST_NAME)
}

/// The source in headers whose names begin like this, with numbers as text.
fn source(fields: &Fields<'_>, prefix: &str) -> Option<Source> {
    source_by(fields, prefix, &|name| fields.number(name))
}

fn source_by(fields: &Fields<'_>, prefix: &str, read: &dyn Fn(&str) -> Option<i64>) -> Option<Source> {
    let number = |name: &str| read(&format!("{prefix}{name}"));
    Some(Source {
        topic: cut(fields.text(&format!("{prefix}topic"))?, LONGEST_TEXT),
        partition: number("partition").and_then(|number| i32::try_from(number).ok()),
        offset: number("offset"),
    })
}

fn millrace(fields: &Fields<'_>) -> About {
    let own = |part: &str| name(fields, &format!("millrace-{part}"));
    let number = |name: &str| fields.number(&format!("millrace-{name}"));
    let omitted = ["value", "headers", "key"].into_iter();
    let omitted =
        omitted.filter_map(|part| Some((part.to_owned(), number(&format!("{part}-omitted"))?.unsigned_abs())));
    let letter = Letter {
        timestamp: number("timestamp"),
        source: source(fields, STREAMS),
        step: own("step"),
        plugin: own("plugin"),
        digest: own("plugin-digest"),
        class: own("error-class"),
        code: own("error-code"),
        text: text(fields, "millrace-error-message"),
        attempts: number("attempts").map(i64::unsigned_abs),
        omitted: omitted.collect(),
        ..Letter::default()
    };
    About { letter, failed_at: number("failed-at") }
}

fn streams(fields: &Fields<'_>) -> About {
    let letter = Letter {
        source: source(fields, STREAMS),
        code: class_of(&text(fields, "__streams.errors.exception")),
        text: text(fields, "__streams.errors.message"),
        ..Letter::default()
    };
    About { letter, failed_at: None }
}

fn spring(fields: &Fields<'_>) -> About {
    let filled = |header: &str| fields.text(header).filter(|text| !text.is_empty());
    // The exception is that of the listener's container: its cause says more. A key that can't be read has its own.
    let classes = ["cause-fqcn", "fqcn"].map(|part| format!("kafka_dlt-exception-{part}"));
    let classes = classes.into_iter().chain(["kafka_dlt-key-exception-fqcn".to_owned()]);
    let message = filled("kafka_dlt-exception-message").or_else(|| filled("kafka_dlt-key-exception-message"));
    let letter = Letter {
        timestamp: fields.binary("kafka_dlt-original-timestamp"),
        source: source_by(fields, "kafka_dlt-original-", &|name| fields.binary(name)),
        step: name(fields, "kafka_dlt-original-consumer-group"),
        code: class_of(&classes.into_iter().find_map(|header| filled(&header)).unwrap_or_default()),
        text: cut(message.unwrap_or_default(), LONGEST_TEXT),
        attempts: fields.binary("retry_topic-attempts").map(i64::unsigned_abs),
        ..Letter::default()
    };
    About { letter, failed_at: None }
}

fn connect(fields: &Fields<'_>) -> About {
    let own = |part: &str| name(fields, &format!("{CONNECT}{part}"));
    let letter = Letter {
        source: source(fields, CONNECT),
        step: own("stage"),
        plugin: own("connector.name"),
        code: own("exception.class.name"),
        text: text(fields, "__connect.errors.exception.message"),
        ..Letter::default()
    };
    About { letter, failed_at: None }
}

fn share_group(fields: &Fields<'_>) -> About {
    let letter = Letter {
        source: source(fields, SHARE_GROUP),
        step: name(fields, "__dlq.errors.group"),
        text: text(fields, "__dlq.errors.message"),
        attempts: fields.number("__dlq.errors.delivery.count").map(i64::unsigned_abs),
        ..Letter::default()
    };
    About { letter, failed_at: None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;
    use millrace_engine::record::TimestampType;

    use super::*;

    /// A letter with an own header and these.
    fn letter(headers: &[(&'static str, &[u8])]) -> Letter {
        let named = |(name, value): &(&'static str, &[u8])| Header::new(*name, Bytes::copy_from_slice(value));
        let headers: Headers = std::iter::once(Header::new("traceparent", "00-1"))
            .chain(headers.iter().map(named))
            .collect::<Vec<_>>()
            .into();
        let (key, value) = (Some(Bytes::from("k")), Some(Bytes::from("v")));
        let (timestamp_type, arrived, turn) = (TimestampType::CreateTime, 0, 0);
        let record = InputRecord { offset: 7, timestamp: 99, timestamp_type, key, value, headers, arrived, turn };
        let letter = Letter::read(LetterId { topic: "dlq".into(), partition: 1, offset: 7 }, record);
        let own: Vec<_> = letter.headers.as_slice().iter().map(|header| header.name.clone()).collect();
        assert_eq!(own, ["traceparent"], "the record's own headers stay");
        letter
    }

    fn place(letter: &Letter) -> (&str, Option<i32>, Option<i64>) {
        let source = letter.source.as_ref().unwrap();
        (&source.topic, source.partition, source.offset)
    }

    #[test]
    fn our_letters_are_read_by_our_headers() {
        let letter = letter(&[
            ("__streams.errors.exception", b"millrace.bad-price"),
            ("__streams.errors.message", b"cut"),
            ("__streams.errors.topic", b"orders"),
            ("__streams.errors.partition", b"3"),
            ("__streams.errors.offset", b"41"),
            ("kafka_dlt-original-offset", &41_i64.to_be_bytes()),
            ("millrace-step", b"price"),
            ("millrace-plugin", b"pricing"),
            ("millrace-plugin-digest", b"0123"),
            ("millrace-error-class", b"permanent"),
            ("millrace-error-code", b"bad-price"),
            ("millrace-error-message", b"price: -3, expected a positive number"),
            ("millrace-attempts", b"2"),
            ("millrace-timestamp", b"7"),
            ("millrace-failed-at", b"8"),
            ("millrace-value-omitted", b"5000"),
        ]);
        assert_eq!(
            (letter.format, letter.step.as_str(), letter.plugin.as_str()),
            (Format::Millrace, "price", "pricing")
        );
        assert_eq!(
            (letter.code.as_str(), letter.class.as_str(), letter.digest.as_str()),
            ("bad-price", "permanent", "0123")
        );
        assert_eq!(letter.text, "price: -3, expected a positive number");
        assert_eq!(place(&letter), ("orders", Some(3), Some(41)));
        assert_eq!((letter.attempts, letter.timestamp, letter.failed_at), (Some(2), Some(7), 8));
        assert_eq!(letter.omitted, [("value".to_owned(), 5_000)]);
    }

    #[test]
    fn letters_of_other_systems_are_read_with_their_numbers() {
        let streams = letter(&[
            (
                "__streams.errors.exception",
                b"org.apache.kafka.common.errors.SerializationException: order 17 is broken",
            ),
            ("__streams.errors.message", b"why"),
            ("__streams.errors.topic", b"orders"),
            ("__streams.errors.partition", b"3"),
            ("__streams.errors.offset", b"41"),
        ]);
        assert_eq!((streams.format, streams.text.as_str()), (Format::KafkaStreams, "why"));
        assert!(streams.code.ends_with("SerializationException"));
        assert_eq!((place(&streams), streams.failed_at), (("orders", Some(3), Some(41)), 99));
        assert_eq!(streams.timestamp, Some(99), "such a letter has the time of its record");

        let spring = letter(&[
            ("kafka_dlt-original-topic", b"orders"),
            ("kafka_dlt-original-partition", &3_i32.to_be_bytes()),
            ("kafka_dlt-original-offset", &41_i64.to_be_bytes()),
            ("kafka_dlt-original-timestamp", &7_i64.to_be_bytes()),
            ("kafka_dlt-original-consumer-group", b"shop"),
            ("kafka_dlt-exception-fqcn", b"ListenerExecutionFailedException"),
            ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
            ("kafka_dlt-exception-message", b"why"),
            ("retry_topic-attempts", &4_i32.to_be_bytes()),
        ]);
        assert_eq!(spring.attempts, Some(4));
        assert_eq!((spring.format, spring.step.as_str(), spring.timestamp), (Format::Spring, "shop", Some(7)));
        assert_eq!(
            (place(&spring), spring.code.as_str()),
            (("orders", Some(3), Some(41)), "java.lang.IllegalStateException")
        );

        let connect = letter(&[
            ("__connect.errors.topic", b"orders"),
            ("__connect.errors.partition", b"3"),
            ("__connect.errors.offset", b"41"),
            ("__connect.errors.connector.name", b"sink"),
            ("__connect.errors.stage", b"VALUE_CONVERTER"),
            ("__connect.errors.exception.class.name", b"DataException"),
            ("__connect.errors.exception.message", b"why"),
        ]);
        assert_eq!(
            (connect.format, connect.step.as_str(), connect.plugin.as_str()),
            (Format::Connect, "VALUE_CONVERTER", "sink")
        );
        assert_eq!((place(&connect), connect.code.as_str()), (("orders", Some(3), Some(41)), "DataException"));

        let shared = letter(&[
            ("__dlq.errors.topic", b"orders"),
            ("__dlq.errors.partition", b"3"),
            ("__dlq.errors.offset", b"41"),
            ("__dlq.errors.group", b"workers"),
            ("__dlq.errors.delivery.count", b"5"),
            ("__dlq.errors.message", b"why"),
        ]);
        assert_eq!((shared.format, shared.step.as_str(), shared.attempts), (Format::ShareGroup, "workers", Some(5)));
        assert!(!shared.is_pointer() && Letter { key: None, value: None, ..shared }.is_pointer());
        let unknown = letter(&[]);
        assert_eq!((unknown.format, unknown.source, unknown.failed_at), (Format::Unknown, None, 99));
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let letter = letter(&[
            ("__streams.errors.topic", b"orders"),
            ("__streams.errors.partition", b"null"),
            ("__streams.errors.offset", b"12345678x"),
        ]);
        assert_eq!(place(&letter), ("orders", None, None));
    }
}

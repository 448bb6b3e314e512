//! Event time of records, and records without a valid one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::{Single, check, check_counts, header, value};

fn source(settings: &str) -> String {
    format!(
        "[[source]]\nname = \"in\"\ntopic = \"in\"\n{settings}\n
         [[sink]]\nfrom = \"in\"\ntopic = \"out\"\n"
    )
}

const FIELD: &str = "timestamp = \"field:at\"";

#[test]
fn event_time_is_read_from_a_field() {
    check(
        &source(FIELD),
        "in k {\"at\":50} @1\nin k {\"at\":\"1970-01-01T00:00:01.5Z\"} @2",
        "out k {\"at\":50} @50\nout k {\"at\":\"1970-01-01T00:00:01.5Z\"} @1500",
    );
}

#[test]
fn half_a_character_in_a_name_or_a_value_hides_no_time() {
    let records = [r#"k {"at":5,"\ud83d":1}"#, r#"k {"\ud83d":1,"at":6}"#, r#"k {"a":"\ud83d","at":7}"#];
    let lines = |topic: &str, timed: bool| {
        let line = |(n, record): (usize, &&str)| format!("{topic} {record} @{}\n", if timed { n + 5 } else { 1 });
        records.iter().enumerate().map(line).collect::<String>()
    };
    check(&source(FIELD), &lines("in", false), &lines("out", true));
}

/// The text of the dead letter of a record with this value.
fn why(value: &[u8]) -> String {
    let mut single = Single::new(&source(""), 1);
    single.offer("in", 0, value, 1, 1);
    let outputs = single.run();
    assert_eq!(outputs.len(), 1);
    assert_eq!(header(&outputs[0], "millrace-error-code"), "bad-value");
    header(&outputs[0], "__streams.errors.message").to_owned()
}

#[test]
fn the_dead_letter_of_an_invalid_value_names_the_error() {
    let utf16 = |text: &str, mark: u16| {
        std::iter::once(mark).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect::<Vec<_>>()
    };
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let (deep, deeper) = (nested(129), nested(100_000));
    let values: [(&[u8], &str); 9] = [
        (br#"{"a":NaN}"#, "the value isn't JSON, which has no NaN: expected value at line 1 column 6"),
        (br#"{"a":-Infinity}"#, "the value isn't JSON, which has no Infinity: invalid number at line 1 column 7"),
        (b"\xef\xbb\xbf{}", "the value begins with a byte order mark, which JSON doesn't have: write it without"),
        (
            &utf16("{}", 0xfeff),
            "the value begins with the byte order mark of UTF-16, and JSON is UTF-8: write it in that",
        ),
        (
            &[0xff, 0xfe, b'{', 0],
            "the value begins with the byte order mark of UTF-16, and JSON is UTF-8: write it in that",
        ),
        (&little("{}"), "the value looks like UTF-16, and JSON is UTF-8: write it in that"),
        (deep.as_bytes(), "the value has more than 128 levels of arrays and objects in each other"),
        (deeper.as_bytes(), "the value has more than 128 levels of arrays and objects in each other"),
        (b"{\"a\":\"\xff\"}", "the value isn't UTF-8: invalid utf-8 sequence of 1 bytes from index 6"),
    ];
    for (value, expected) in values {
        assert_eq!(why(value), expected);
    }
    check(&source(""), &format!("in k {} @1", nested(128)), &format!("out k {} @1", nested(128)));
}

#[test]
fn numbers_beyond_any_type_are_emitted_byte_for_byte() {
    let value = r#"{"id":9007199254740993,"n":327267367867168100000,"d":0.1000000000000000055511151231257827,"e":1e400,"z":-0}"#;
    check(&source(""), &format!("in k {value} @1"), &format!("out k {value} @1"));
}

const BAD: &str = "in k {} @1\nin k {\"at\":true} @2\nin k - @3\nin k {\"at\":-5} @4\nin k { @5\nin k {\"at\":7} @6";

#[test]
fn a_record_without_a_time_is_dropped_and_counted() {
    let steps = source(FIELD);
    check(&steps, BAD, "dead k { @5 bad-value at in from in/4\nout k {\"at\":7} @7");
    check_counts(&steps, BAD, "in dropped bad-time 3\nin dropped negative-timestamp 1\nin dead-lettered bad-value 1");
}

#[test]
fn a_record_without_a_time_may_be_dead_lettered_with_its_own_timestamp() {
    check(
        &source(&format!("{FIELD}\non-bad-time = \"dead-letter\"")),
        BAD,
        "dead k {} @1 bad-time at in from in/0
         dead k {\"at\":true} @2 bad-time at in from in/1
         dead k - @3 bad-time at in from in/2
         dead k {\"at\":-5} @4 negative-timestamp at in from in/3
         dead k { @5 bad-value at in from in/4
         out k {\"at\":7} @7",
    );
    check(
        &source("on-bad-time = \"dead-letter\""),
        "in k 1 @-1\nin k 2 @2",
        "dead k 1 @-1 negative-timestamp at in from in/0\nout k 2 @2",
    );
}

#[test]
fn a_record_from_the_future_gets_the_time_of_its_arrival_or_is_dead_lettered() {
    let input = "tick - - @1000\nin k 1 @1050\nin k 2 @1051\nin k 3 @5";
    check(&source("max-ahead = \"50ms\"\non-ahead = \"clamp\""), input, "out k 1 @1050\nout k 2 @1000\nout k 3 @5");
    check(
        &source("max-ahead = \"50ms\"\non-ahead = \"dead-letter\""),
        input,
        "out k 1 @1050\ndead k 2 @1051 future-timestamp at in from in/1\nout k 3 @5",
    );
}

const TWO: &str = r#"
    [[source]]
    name = "left"
    topic = "left"
    timestamp = "field:at"
    max-ahead = "50ms"
    on-ahead = "dead-letter"
    [[source]]
    name = "right"
    topic = "right"
    [[merge]]
    name = "both"
    from = ["left", "right"]
    [[sink]]
    from = "both"
    topic = "out"
"#;

#[test]
fn event_time_decides_which_record_is_next_and_a_record_without_one_is_next_at_once() {
    let mut single = Single::new(TWO, 1);
    single.offer("left", 0, r#"{"at":30}"#, 1, 100);
    single.offer("left", 1, r#"{"at":900}"#, 1, 100);
    single.offer("left", 2, r#"{"at":20}"#, 1, 100);
    single.offer("left", 3, "{}", 1, 100);
    single.offer("right", 0, "25", 25, 100);
    single.offer("right", 1, "31", 31, 100);
    let outputs = single.run();
    let (letters, outputs): (Vec<_>, Vec<_>) =
        outputs.iter().partition(|output| output.headers.last(b"millrace-step").is_some());
    assert_eq!(outputs.iter().map(|output| output.timestamp).collect::<Vec<_>>(), [25, 30, 20, 31]);
    assert_eq!(letters.len(), 1);
    assert_eq!(value(letters[0]), r#"{"at":900}"#);
    assert_eq!(header(letters[0], "millrace-error-code"), "future-timestamp");
    let (positions, ledger) = single.commit();
    assert_eq!(positions.iter().map(|position| position.next).collect::<Vec<_>>(), [Some(4), Some(2)]);
    let times: Vec<_> = positions.iter().map(|position| position.time).collect();
    assert_eq!(times, [Some(30), Some(31)], "a record without a time advances no clock");
    assert_eq!(ledger.consumed, 6);
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use insta::assert_snapshot;
use millrace_engine::record::Header;
use proptest::prelude::*;

use super::*;

fn codecs() -> KeyCodecs {
    [("orders", KeyCodec::I64), ("customers", KeyCodec::String), ("raw", KeyCodec::Bytes)].into_iter().collect()
}

/// What a line is after it was read and written again.
fn again(line: &str) -> String {
    let codecs = codecs();
    let line = parse(line.as_bytes(), 1, &codecs).unwrap_or_else(|error| panic!("{error}"));
    let mut out = Vec::new();
    print(&mut out, &line, codecs.of(&line.topic)).unwrap();
    String::from_utf8(out).unwrap()
}

fn error(line: &str) -> String {
    parse(line.as_bytes(), 7, &codecs()).unwrap_err().to_string()
}

#[test]
fn a_line_reads_back_as_the_same_record() {
    for line in [
        r#"{"topic":"orders","partition":3,"key":-42,"value":{"id":42,"price":19.90,"x":1e400,"a":[]},"timestamp":-5}"#,
        r#"{"topic":"customers","key":"Zoë \"Z\"","value":"text","timestamp":0,"headers":{"a":"b","c":null}}"#,
        r#"{"topic":"raw","key":"AAEC","value":[1, 2],"window":[0,300000]}"#,
        r#"{"topic":"orders","keyBase64":"AAEC","valueBase64":""}"#,
        r#"{"topic":"customers","keyBase64":"//8=","valueBase64":"bnVsbA=="}"#,
        r#"{"topic":"orders","key":null,"value":null}"#,
        r#"{"topic":"orders","key":1,"value":1,"headers":[["a","1"],["a",{"base64":"/w=="}],[{"base64":"/w=="},null]]}"#,
    ] {
        assert_eq!(again(line).trim_end(), line.replace(", ", ","));
    }
}

#[test]
fn headers_that_hold_numbers_are_printed_and_read_as_numbers() {
    let letter = r#"{"topic":"orders","key":1,"value":1,"headers":{"kafka_dlt-original-partition":3,"kafka_dlt-original-offset":-1,"kafka_dlt-original-timestamp":1700000000000,"__streams.errors.offset":"41"}}"#;
    assert_eq!(again(letter).trim_end(), letter);
    let read = parse(letter.as_bytes(), 1, &codecs()).unwrap();
    let bytes = |name: &str| read.headers.last(name.as_bytes()).unwrap().value.clone().unwrap();
    assert_eq!(bytes("kafka_dlt-original-partition").as_ref(), 3_i32.to_be_bytes());
    assert_eq!(bytes("kafka_dlt-original-offset").as_ref(), (-1_i64).to_be_bytes());
    // Bytes of another length aren't that number.
    let other = r#"{"topic":"orders","key":1,"value":1,"headers":{"kafka_dlt-original-offset":"41"}}"#;
    assert_eq!(again(other).trim_end(), other);
    let pairs = r#"{"topic":"orders","key":1,"value":1,"headers":[["kafka_dlt-original-offset",7],["kafka_dlt-original-offset",8]]}"#;
    assert_eq!(again(pairs).trim_end(), pairs);
}

#[test]
fn a_window_is_printed_from_the_last_two_headers_and_read_into_them() {
    let line = r#"{"topic":"orders","key":1,"value":1,"headers":{"a":"b"},"window":[0,10000]}"#;
    let read = parse(line.as_bytes(), 1, &codecs()).unwrap();
    let headers = read.all_headers();
    let names: Vec<_> = headers.as_slice().iter().map(|header| String::from_utf8_lossy(&header.name)).collect();
    assert_eq!(names, ["a", "millrace-window-start", "millrace-window-end"]);
    let record = Line { headers: headers.clone(), window: None, ..read.clone() };
    assert_eq!(record.with_own_window(), read);

    // In any other place they stay where they are, so that what is written back is what was read.
    let behind = [headers.as_slice(), &[Header::new("c", "d")]].concat();
    let record = Line { headers: behind.into(), window: None, ..read };
    let mut out = Vec::new();
    print(&mut out, &record.clone().with_own_window(), Some(KeyCodec::I64)).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap().trim_end(),
        r#"{"topic":"orders","key":1,"value":1,"headers":{"a":"b","millrace-window-start":0,"millrace-window-end":10000,"c":"d"}}"#
    );
}

#[test]
fn a_value_loses_only_white_space_between_tokens() {
    let line = r#"{ "topic": "orders", "key": 1, "value": { "b" : "two  words \" \\" , "a" : 1.0 , "b" : 2 } }"#;
    assert_snapshot!(again(line), @r#"{"topic":"orders","key":1,"value":{"b":"two  words \" \\","a":1.0,"b":2}}"#);
}

#[test]
fn a_value_that_looks_like_json_but_is_not_is_written_as_base64() {
    let mut out = Vec::new();
    for value in ["{", "{}x", "1 2", "nul", "\"\u{1}\"", "01", "[1,]"] {
        let line = Line {
            topic: "t".into(),
            partition: None,
            key: None,
            value: Some(Bytes::from_static(value.as_bytes())),
            timestamp: None,
            headers: Headers::EMPTY,
            window: None,
        };
        out.clear();
        print(&mut out, &line, Some(KeyCodec::Bytes)).unwrap();
        assert!(String::from_utf8_lossy(&out).contains("valueBase64"), "{value}");
    }
}

#[test]
fn the_error_for_a_wrong_line_has_the_place_and_a_right_example() {
    let errors: Vec<String> = [
        "[]",
        r#"{"topic":"orders","key":1,"value":1"#,
        r#"{"topic":"orders","kye":1,"value":1}"#,
        r#"{"topic":"orders","key":1,"key":1,"value":1}"#,
        r#"{"key":1,"value":1}"#,
        r#"{"topic":5,"key":1,"value":1}"#,
        r#"{"topic":"orders","key":"1","value":1}"#,
        r#"{"topic":"orders","key":1.5,"value":1}"#,
        r#"{"topic":"orders","key":9223372036854775808,"value":1}"#,
        r#"{"topic":"customers","key":1,"value":1}"#,
        r#"{"topic":"raw","key":"%","value":1}"#,
        r#"{"topic":"orders","key":1,"keyBase64":"","value":1}"#,
        r#"{"topic":"orders","key":1}"#,
        r#"{"topic":"orders","key":1,"valueBase64":{}}"#,
        r#"{"topic":"orders","key":1,"value":1,"timestamp":"2024-01-01"}"#,
        r#"{"topic":"orders","key":1,"value":1,"partition":-1}"#,
        r#"{"topic":"orders","key":1,"value":1,"headers":{"a":1}}"#,
        r#"{"topic":"orders","key":1,"value":1,"headers":{"a":"1","a":"2"}}"#,
        r#"{"topic":"orders","key":1,"value":1,"headers":5}"#,
        r#"{"topic":"orders","key":1,"value":1,"headers":{"kafka_dlt-original-partition":2147483648}}"#,
        r#"{"topic":"orders","key":1,"value":1,"window":[1]}"#,
    ]
    .map(error)
    .into();
    assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_key_without_a_known_codec_must_be_base64() {
    let codecs = KeyCodecs::same(None);
    let raw = r#"{"topic":"orders","keyBase64":"abcd","value":1}"#;
    let line = parse(raw.as_bytes(), 1, &codecs).unwrap();
    let mut out = Vec::new();
    print(&mut out, &line, codecs.of("orders")).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().trim_end(), raw);
    let text = r#"{"topic":"orders","key":"abcd","value":1}"#;
    assert_snapshot!(parse(text.as_bytes(), 1, &codecs).unwrap_err(), @r#"line 1, field `key`: the codec of the keys is unknown, so "abcd" is ambiguous; set --key i64, --key string or --key bytes; raw bytes go into `keyBase64`"#);
    assert!(parse(br#"{"topic":"orders","key":null,"value":1}"#, 1, &codecs).unwrap().key.is_none());
}

#[test]
fn a_reader_skips_a_byte_order_mark_before_any_line() {
    let record = r#"{"topic":"orders","key":1,"value":1}"#;
    let input = format!("\u{feff}{record}\n\u{feff}{record}\n\u{feff}\n");
    let (mut reader, codecs) = (LineReader::new(input.as_bytes()), codecs());
    for _ in 0..2 {
        assert_eq!(reader.read(&codecs).unwrap().unwrap().value.as_deref(), Some(&b"1"[..]));
    }
    assert!(reader.read(&codecs).unwrap().is_none());
}

#[test]
fn a_line_that_is_too_long_is_an_error_and_takes_no_memory() {
    let record = r#"{"topic":"orders","key":1,"value":1}"#;
    let long = format!("{{\"topic\":\"orders\",\"key\":1,\"value\":\"{}\"}}", "x".repeat(100));
    let exact = format!("{record}{}", " ".repeat(80 - record.len()));
    let input = format!("{exact}\n{long}\n{record}\n{long}");
    let (mut reader, codecs) = (LineReader::with_limit(input.as_bytes(), 80), codecs());
    assert!(reader.read(&codecs).unwrap().is_some());
    assert_snapshot!(reader.read(&codecs).unwrap_err(), @"line 2: it has more than 80 bytes; each record is a line of its own: look for the line ends");
    assert!(reader.read(&codecs).unwrap().is_some());
    assert!(reader.read(&codecs).unwrap_err().to_string().starts_with("line 4: it has more than 80 bytes"));
    assert!(reader.read(&codecs).unwrap().is_none());
}

#[test]
fn null_in_an_optional_field_counts_as_missing() {
    let codecs = codecs().with_default_topic(Some("orders"));
    let nulls = r#"{"topic":null,"partition":null,"key":null,"keyBase64":null,"valueBase64":null,"timestamp":null,"headers":null,"window":null,"value":1}"#;
    assert_eq!(parse(nulls.as_bytes(), 1, &codecs).unwrap(), parse(br#"{"value":1}"#, 1, &codecs).unwrap());
    let raw = r#"{"key":null,"keyBase64":"AAEC","value":null,"valueBase64":"AAEC"}"#;
    let read = parse(raw.as_bytes(), 1, &codecs).unwrap();
    assert_eq!((read.key.as_deref(), read.value.as_deref()), (Some(&[0, 1, 2][..]), Some(&[0, 1, 2][..])));
    let tombstone = r#"{"key":1,"value":null,"valueBase64":null}"#;
    assert!(parse(tombstone.as_bytes(), 1, &codecs).unwrap().value.is_none());
}

#[test]
fn the_error_for_a_line_of_another_tool_or_encoding_names_it() {
    let kcat = r#"{"topic":"orders","partition":0,"offset":5,"tstype":"create","ts":1700000000000,"broker":1,"key":"a","payload":"{}"}"#;
    let utf16 = parse(b"\xff\xfe{\0\"\0", 2, &codecs()).unwrap_err();
    assert_snapshot!(format!("{}\n{utf16}", error(kcat)), @"
    line 7: it is a line of `kcat -J`, whose fields have other names; `jq -c '{topic, partition, key, value: (.payload | fromjson? // .), timestamp: .ts}'` makes lines of this form of them
    line 2: it begins with the byte order mark of UTF-16; lines are in UTF-8: convert the file
    ");
}

#[test]
fn a_reader_counts_lines_and_goes_on_after_a_wrong_one() {
    let input =
        "\n{\"topic\":\"orders\",\"key\":1,\"value\":1}\r\nnonsense\n\n{\"topic\":\"orders\",\"key\":2,\"value\":2}";
    let mut reader = LineReader::new(input.as_bytes());
    let codecs = codecs();
    assert_eq!(reader.read(&codecs).unwrap().unwrap().value.as_deref(), Some(&b"1"[..]));
    let error = reader.read(&codecs).unwrap_err().to_string();
    assert!(error.starts_with("line 3: not a JSON object"), "{error}");
    assert_eq!(reader.read(&codecs).unwrap().unwrap().value.as_deref(), Some(&b"2"[..]));
    assert_eq!(reader.number(), 5);
    assert!(reader.read(&codecs).unwrap().is_none());
}

#[test]
fn bytes_that_are_not_utf8_are_an_error_with_their_place() {
    let error = parse(b"{\"topic\":\"\xff\"}", 1, &codecs()).unwrap_err().to_string();
    assert!(error.starts_with("line 1: not UTF-8 from byte 11 on"), "{error}");
}

#[test]
fn every_line_of_the_sample_reads_back_as_the_same_record() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/orders.jsonl");
    let sample = std::fs::read_to_string(sample).unwrap();
    let codecs: KeyCodecs =
        ["orders", "payment-orders", "stock-orders"].map(|topic| (topic, KeyCodec::I64)).into_iter().collect();
    for (index, text) in sample.lines().enumerate() {
        let line = parse(text.as_bytes(), index as u64 + 1, &codecs).unwrap();
        let mut out = Vec::new();
        print(&mut out, &line, codecs.of(&line.topic)).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), text);
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        ".*".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\ud800 \/ \u0041""#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-c]", inner), 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::from),
        ".{0,8}".prop_map(Bytes::from),
        any::<[u8; 8]>().prop_map(|eight| Bytes::copy_from_slice(&eight)),
    ]
}

fn header() -> impl Strategy<Value = Header> {
    let name = prop_oneof![Just(Bytes::from_static(b"a")), bytes()];
    (name, prop::option::of(bytes())).prop_map(|(name, value)| Header { name, value })
}

prop_compose! {
    fn record()(
        topic in prop_oneof![Just("orders".to_owned()), Just("customers".to_owned()), ".{1,8}"],
        partition in any::<Option<u32>>(),
        key in prop::option::of(bytes()),
        value in prop::option::of(prop_oneof![bytes(), json().prop_map(Bytes::from)]),
        timestamp in any::<Option<i64>>(),
        headers in prop::collection::vec(header(), 0..4),
        window in prop::option::of((any::<i64>(), any::<i64>())),
    ) -> Line<'static> {
        let window = window.map(|(start, end)| Window { start, end });
        Line { topic: topic.into(), partition, key, value, timestamp, headers: headers.into(), window }
    }
}

proptest! {
    #[test]
    fn a_printed_record_reads_back_unchanged(record in record()) {
        let codecs = codecs();
        let mut out = Vec::new();
        print(&mut out, &record, codecs.of(&record.topic)).unwrap();
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read = parse(&out, 1, &codecs).unwrap();
        let compact = |value: &Bytes| match json::text(value) {
            Some(text) => Bytes::from(json::compact(text).into_owned()),
            None => value.clone(),
        };
        // A value that is JSON loses its white space; nothing else changes.
        let value = record.value.as_ref().filter(|value| !value.trim_ascii().eq(b"null")).map(compact);
        prop_assert_eq!(read.value.as_ref().filter(|value| !value.trim_ascii().eq(b"null")), value.as_ref());
        prop_assert_eq!(Line { value: None, ..read }, Line { value: None, ..record });
    }
}

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
fn a_record_comes_back_as_it_was() {
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
fn only_white_space_between_tokens_is_left_out_of_a_value() {
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
fn a_line_that_is_wrong_says_where_and_what_would_be_right() {
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
        r#"{"topic":"orders","key":1,"value":1,"window":[1]}"#,
    ]
    .map(error)
    .into();
    assert_snapshot!(errors.join("\n"));
}

#[test]
fn where_nobody_knows_the_keys_only_raw_bytes_are_taken() {
    let codecs = KeyCodecs::same(None);
    let raw = r#"{"topic":"orders","keyBase64":"abcd","value":1}"#;
    let line = parse(raw.as_bytes(), 1, &codecs).unwrap();
    let mut out = Vec::new();
    print(&mut out, &line, codecs.of("orders")).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().trim_end(), raw);
    let text = r#"{"topic":"orders","key":"abcd","value":1}"#;
    assert_snapshot!(parse(text.as_bytes(), 1, &codecs).unwrap_err(), @r#"line 1, field `key`: nothing says what bytes "abcd" stands for; say --key i64, --key string or --key bytes; raw bytes go into `keyBase64`"#);
    assert!(parse(br#"{"topic":"orders","key":null,"value":1}"#, 1, &codecs).unwrap().key.is_none());
}

#[test]
fn a_reader_passes_a_byte_order_mark_over_at_the_beginning_only() {
    let record = r#"{"topic":"orders","key":1,"value":1}"#;
    let input = format!("\u{feff}{record}\n\u{feff}{record}\n");
    let (mut reader, codecs) = (Reader::new(input.as_bytes()), codecs());
    assert_eq!(reader.read(&codecs).unwrap().unwrap().value.as_deref(), Some(&b"1"[..]));
    let error = reader.read(&codecs).unwrap_err().to_string();
    assert!(error.starts_with("line 2: not a JSON object"), "{error}");
}

#[test]
fn a_reader_counts_lines_and_goes_on_after_a_wrong_one() {
    let input =
        "\n{\"topic\":\"orders\",\"key\":1,\"value\":1}\r\nnonsense\n\n{\"topic\":\"orders\",\"key\":2,\"value\":2}";
    let mut reader = Reader::new(input.as_bytes());
    let codecs = codecs();
    assert_eq!(reader.read(&codecs).unwrap().unwrap().value.as_deref(), Some(&b"1"[..]));
    let error = reader.read(&codecs).unwrap_err().to_string();
    assert!(error.starts_with("line 3: not a JSON object"), "{error}");
    assert_eq!(reader.read(&codecs).unwrap().unwrap().value.as_deref(), Some(&b"2"[..]));
    assert_eq!(reader.number(), 5);
    assert!(reader.read(&codecs).unwrap().is_none());
}

#[test]
fn bytes_that_are_not_text_are_an_error_with_their_place() {
    let error = parse(b"{\"topic\":\"\xff\"}", 1, &codecs()).unwrap_err().to_string();
    assert!(error.starts_with("line 1: not UTF-8 from byte 11 on"), "{error}");
}

#[test]
fn every_line_of_the_sample_is_a_record_and_comes_back_as_it_was() {
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
    fn what_is_written_reads_back_the_same(record in record()) {
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

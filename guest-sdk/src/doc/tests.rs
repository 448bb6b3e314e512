#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn doc(text: &str) -> Doc {
    Doc::parse(text).unwrap()
}

fn error(text: impl AsRef<[u8]>) -> String {
    Doc::parse(text).unwrap_err().to_string()
}

#[test]
fn what_is_not_changed_is_written_as_it_was_read() {
    for text in [
        "{}",
        "{ }",
        r#"{"a":1.10,"b":1e400,"c":-0.0,"d":12345678901234567890123}"#,
        "{ \"a\" :\t[ 1 , {\"x\" : \"\\u00e9\\/\"} ] ,\n\"b\":null }",
        r#"{"a":1,"a":2,"\u0061":3}"#,
        r#"{"é":"日本","":{}}"#,
    ] {
        assert_eq!(doc(&format!(" \n{text}\t ")).to_string(), text);
    }
}

#[test]
fn a_change_leaves_all_else_where_it_is() {
    let change = |text: &str, change: fn(&mut Doc)| {
        let mut doc = doc(text);
        change(&mut doc);
        doc.to_string()
    };
    type Edit = fn(&mut Doc);
    let cases: [(&str, Edit, &str); 10] = [
        (r#"{"a" : 1 , "b":2}"#, |d| d.set("a", "x"), r#"{"a" : "x" , "b":2}"#),
        (r#"{"a":1, "b": 2 }"#, |d| d.set("b", true), r#"{"a":1, "b": true }"#),
        (r#"{"a":1}"#, |d| d.set("n", 2), r#"{"a":1,"n":2}"#),
        ("{ }", |d| d.set("n", 2.5), r#"{"n":2.5}"#),
        (r#"{"a":1, "b":2, "c":3}"#, |d| assert!(d.remove("b")), r#"{"a":1,"c":3}"#),
        (r#"{"a":1, "b":2}"#, |d| assert!(d.remove("a")), r#"{"b":2}"#),
        (r#"{"a":1}"#, |d| assert!(d.remove("a")), "{}"),
        (r#"{"a":1,"b":0,"a":2}"#, |d| d.set("a", 3), r#"{"b":0,"a":3}"#),
        (r#"{"\u0061":1}"#, |d| d.set("a", 2), r#"{"\u0061":2}"#),
        (
            r#"{"a":1}"#,
            |d| {
                d.remove("a");
                d.set("a\"", "\n\u{1}é");
                d.set("a\"", None::<i64>);
            },
            r#"{"a\"":null}"#,
        ),
    ];
    for (text, edit, expected) in cases {
        assert_eq!(change(text, edit), expected, "{text}");
    }
}

#[test]
fn of_fields_with_the_same_name_the_last_is_read_and_removing_takes_all() {
    let mut doc = doc(r#"{"a":1,"a":2,"\u0061":3}"#);
    assert_eq!(doc.i64("a").unwrap(), 3);
    assert!(doc.remove("a") && !doc.has("a"));
    assert_eq!(doc.to_string(), "{}");
}

#[test]
fn typed_getters_read_their_type_and_name_what_they_found_instead() {
    let doc =
        doc(r#"{"s":"a\n\u00e9\ud83d\ude00","i":-7,"f":1.50,"b":true,"n":null,"o":{"x":1},"l":[1,2],"big":1e400}"#);
    assert_eq!(doc.str("s").unwrap(), "a\né😀");
    assert_eq!((doc.i64("i").unwrap(), doc.f64("f").unwrap(), doc.bool("b").unwrap()), (-7, 1.5, true));
    assert_eq!((doc.opt_str("n").unwrap(), doc.opt_i64("none").unwrap(), doc.is_null("n")), (None, None, true));
    assert_eq!(doc.doc("o").unwrap().i64("x").unwrap(), 1);
    assert_eq!(doc.get::<Vec<u8>>("l").unwrap(), [1, 2]);
    let wrong = [
        doc.str("i").unwrap_err(),
        doc.i64("f").unwrap_err(),
        doc.f64("big").unwrap_err(),
        doc.bool("s").unwrap_err(),
        doc.doc("l").unwrap_err(),
        doc.i64("none").unwrap_err(),
        doc.get::<Vec<String>>("l").unwrap_err(),
    ];
    assert_eq!(
        wrong.map(|error| error.text().to_owned()),
        [
            "value: field `i`: expected a string, found -7",
            "value: field `f`: expected a 64-bit integer, found 1.50",
            "value: field `big`: expected a number, found 1e400",
            "value: field `s`: expected true or false, found a string",
            "value: field `l`: expected an object, found an array",
            "value: missing field `none`",
            "value: field `l`: invalid type: integer `1`, expected a string at line 1 column 2",
        ]
    );
}

#[test]
fn half_of_a_surrogate_pair_is_carried_through_but_is_no_text() {
    let doc = doc(r#"{"a":"\ud800"}"#);
    assert_eq!(doc.str("a").unwrap_err().text(), "value: field `a`: half of a surrogate pair");
    assert_eq!(doc.to_string(), r#"{"a":"\ud800"}"#);
}

#[test]
fn what_is_not_an_object_is_refused_with_the_place_that_is_wrong() {
    let cases = [
        ("", "empty, expected a JSON object"),
        (" [1]", "expected `{` at line 1 column 2"),
        ("{\"a\":1,\n \"b\":}", "expected a value at line 2 column 6"),
        (r#"{"a":1"#, "unexpected end at line 1 column 7"),
        (r#"{"a":"x"#, "unexpected end in a string at line 1 column 8"),
        (r#"{"a":1}x"#, "unexpected text after the object at line 1 column 8"),
        (r#"{"a":1,}"#, "expected a field name in quotes at line 1 column 8"),
        (r#"{"a":01}"#, "expected `,` or `}` at line 1 column 7"),
        (r#"{"a":[1,]}"#, "expected a value at line 1 column 9"),
        (r#"{"a":[1}}"#, "expected `,` or `]` at line 1 column 8"),
        (r#"{"a":"\x"}"#, "invalid escape in a string at line 1 column 7"),
        ("{\"a\":\"\t\"}", "control character in a string at line 1 column 7"),
        (r#"{"a" 1}"#, "expected `:` at line 1 column 6"),
        (r#"{"a":nul}"#, "expected a value at line 1 column 6"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), format!("value: {expected}"), "{text}");
    }
    assert_eq!(error(b"{\"a\":\"x\xff\"}"), "value: invalid UTF-8 at line 1 column 8");
}

#[test]
fn a_string_that_holds_an_object_is_told_as_encoded_twice() {
    let twice = "value: a string that holds a JSON object, and not the object itself: whatever wrote it encoded it as JSON twice";
    for text in [r#""{\"a\":1}""#, r#" "{}" "#, r#""{\u0022a\":\"\\u00e9\"}""#, r#""\n{\"a\":1}\n""#] {
        assert_eq!(error(text), twice, "{text}");
    }
    for text in [r#""a""#, r#""{""#, r#""{\"a\":1}"#, r#""{\"a\":1}", 1"#, r#""""#, "\"", r#""[1]""#] {
        assert!(error(text).starts_with("value: expected `{`"), "{text}: {}", error(text));
    }
}

#[test]
fn arrays_and_objects_nest_128_levels_deep_and_no_deeper() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(doc(&nested(127)).to_string(), nested(127));
    assert!(error(nested(128)).contains("nested too deeply"));
}

proptest! {
    #[test]
    fn it_accepts_what_serde_json_accepts_and_nothing_else(text in r#"(\{"a":)?[-+0-9.eE\[\]{}:,"tfnrulase \\é]{0,14}\}?"#) {
        let reference = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        let parsed = Doc::parse(&text);
        // serde_json refuses numbers that a float can't hold; here they are carried through.
        let too_large = reference.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(too_large || parsed.is_ok() == reference.is_ok(), "{text}: {parsed:?} {reference:?}");
    }

    #[test]
    fn any_string_is_read_back_as_it_was_set(name: String, value: String, near in ".{0,24}") {
        let mut doc = Doc::new();
        doc.set("near", &near);
        doc.set(&name, &value);
        let read = Doc::parse(doc.to_vec()).unwrap();
        prop_assert_eq!(read.str(&name).unwrap(), value.as_str());
        let by_serde: serde_json::Value = serde_json::from_slice(&doc.to_vec()).unwrap();
        prop_assert_eq!(by_serde[&name].as_str(), Some(value.as_str()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Ok(doc) = Doc::parse(&bytes) {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&doc.to_vec()).is_ok());
        }
    }
}

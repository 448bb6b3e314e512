use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Outcome, Record};
use millrace_sdk::{__private::KeyCodec, Kind};

/// Skips, fails and puts out in every way.
#[transform(ports(plain, moved(rekey)), codes("boring", "later"), headers)]
fn sort(key: Key<i64>, order: Doc, ctx: Ctx) -> Result<Outputs> {
    ctx.count("seen", 1);
    let output = match &*order.str("do")? {
        "skip" => return Err(Error::skip("boring")),
        "retry" => return Err(Error::transient("later", "not yet")),
        "undeclared" => return Err(Error::permanent("surprise", "who knows")),
        "wrong-port" => Output::to(sort::PLAIN).key(1_i64),
        "none" => return Ok(Outputs::new()),
        "move" => Output::to(sort::MOVED).key(*key + 1).timestamp(5).header("a", "b"),
        "delete" => Output::new().tombstone(),
        "headers" => Output::new().bytes(ctx.headers().get("trace").unwrap_or(b"none")).no_headers(),
        _ => Output::new().value(order).unchanged(),
    };
    Ok(output.into())
}

/// A filter.
#[transform]
fn large(n: u32) -> Option<Unchanged> {
    (n > 10).then_some(Unchanged)
}

/// Takes text, and puts out several values.
#[transform]
fn words(text: &str, key: Option<Key<String>>) -> Vec<String> {
    text.split(' ').map(|word| format!("{}:{word}", key.as_ref().map_or("-", |key| &key.0))).collect()
}

/// Puts out null, which isn't the same as no output.
#[transform]
fn or_default(value: Option<Vec<u8>>) -> Vec<u8> {
    value.unwrap_or_else(|| b"default".to_vec())
}

/// Fails with errors of the standard library.
#[transform(name = "parse-int")]
fn parse(text: String) -> Result<i64, std::num::ParseIntError> {
    text.parse()
}

plugin! { name: "transforms", version: "9.9", functions: [sort, large, words, or_default, parse] }

fn run(function: &str, record: Record) -> Outcome {
    Bench::new(&PLUGIN).transform(function, &[record]).remove(0)
}

fn sorted(what: &str) -> Outcome {
    run("sort", Record::new(7_i64, format!(r#"{{"do":"{what}"}}"#)).at(3).header("trace", "t1"))
}

#[test]
fn the_manifest_says_what_signature_and_attribute_say() {
    let manifest = Bench::new(&PLUGIN).manifest();
    assert_eq!((&*manifest.name, &*manifest.version, &*manifest.config_schema), ("transforms", "9.9", ""));
    let sort = &manifest.functions[0];
    let ports: Vec<_> = sort.ports.iter().map(|port| (&*port.name, port.changes_key)).collect();
    assert_eq!(ports, [("plain", false), ("moved", true)]);
    assert!(sort.wants_headers && sort.key == KeyCodec::I64);
    assert_eq!(sort.codes[..2], ["boring", "later"]);
    assert_eq!(manifest.functions[2].key, KeyCodec::Text);
    assert_eq!(manifest.functions[4].name, "parse-int");
}

#[test]
fn skips_and_failures_carry_their_code() {
    assert_eq!(sorted("skip"), Outcome::Skip("boring".into()));
    let Outcome::Fail { kind: Kind::Transient, code, text } = sorted("retry") else { panic!("no transient failure") };
    assert_eq!((&*code, &*text), ("later", "not yet"));
}

#[test]
fn what_is_not_declared_fails_and_says_so() {
    assert_eq!(
        sorted("undeclared").failure(),
        "undeclared: code `surprise` isn't declared: #[..(codes(\"surprise\"))] at `sort` is missing; it came with: who knows"
    );
    assert_eq!(
        sorted("wrong-port").failure(),
        "undeclared: an output of `sort` on port `plain` has a key of its own, but the port isn't declared `rekey`"
    );
}

#[test]
fn outputs_take_over_from_the_input_what_they_do_not_set() {
    assert_eq!(sorted("none"), Outcome::Outputs(vec![]));
    let Outcome::Outputs(moved) = sorted("move") else { panic!("no outputs") };
    let put = &moved[0];
    assert_eq!((put.port, put.key.as_deref(), put.timestamp), ("moved", Some(&8_i64.to_be_bytes()[..]), 5));
    assert_eq!((put.text(), &put.headers[..]), (r#"{"do":"move"}"#.into(), &[("a".into(), b"b".to_vec())][..]));
    let Outcome::Outputs(same) = sorted("pass") else { panic!("no outputs") };
    let put = &same[0];
    assert_eq!((put.port, put.key.as_deref(), put.timestamp), ("plain", Some(&7_i64.to_be_bytes()[..]), 3));
    assert_eq!(put.headers, [("trace".into(), b"t1".to_vec())]);
    assert_eq!(sorted("delete").texts(), ["null"]);
    assert_eq!(sorted("headers").texts(), ["t1"]);
}

#[test]
fn a_key_of_another_type_or_none_fails_where_one_is_wanted() {
    let value = r#"{"do":"pass"}"#;
    assert_eq!(run("sort", Record::new("abc", value)).failure(), "bad-key: key: 3 bytes, expected the 8 of an i64");
    assert_eq!(run("sort", Record::new("", value).null_key()).failure(), "null-key: key: null, expected a key");
    assert_eq!(run("words", Record::new("k", "a b")).texts(), ["k:a", "k:b"]);
    assert_eq!(run("words", Record::new("k", "a b").null_key()).texts(), ["-:a", "-:b"]);
}

#[test]
fn null_is_a_failure_unless_an_option_takes_it() {
    assert_eq!(
        run("large", Record::new("", "").null_value()).failure(),
        "null-value: value (n): null, expected a value"
    );
    assert_eq!(run("or_default", Record::new("", "").null_value()).texts(), ["default"]);
    assert_eq!(run("or_default", Record::new("", "x")).texts(), ["x"]);
}

#[test]
fn values_of_the_wrong_type_fail_with_the_place_that_is_wrong() {
    assert_eq!(run("large", Record::new("", "11")).texts(), ["11"]);
    assert_eq!(run("large", Record::new("", "9")), Outcome::Outputs(vec![]));
    assert_eq!(
        run("large", Record::new("", "-1")).failure(),
        "bad-value: value (n): invalid value: integer `-1`, expected u32 at line 1 column 2"
    );
    let utf8 = run("words", Record::new("", vec![0xff])).failure();
    assert_eq!(utf8, "bad-value: value (text): invalid utf-8 sequence of 1 bytes from index 0");
    assert_eq!(run("parse-int", Record::new("", "x")).failure(), "bad-value: invalid digit found in string");
}

#[test]
fn counts_are_added_up() {
    let mut bench = Bench::new(&PLUGIN);
    bench.transform("sort", &[Record::new(1_i64, r#"{"do":"none"}"#), Record::new(2_i64, r#"{"do":"none"}"#)]);
    assert_eq!((bench.count("seen"), bench.count("other")), (2, 0));
}

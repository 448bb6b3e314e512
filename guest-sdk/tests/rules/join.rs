use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Outcome, Pair, Record};

/// Puts out which sides are there.
#[join]
fn both(left: Option<&str>, right: Option<&str>, ctx: &Ctx) -> String {
    let times = (ctx.left().map(|side| side.timestamp()), ctx.right().map(|side| side.timestamp()));
    format!("{left:?} {right:?} {times:?} {} {}", ctx.timestamp(), ctx.input())
}

/// Takes a borrowed type of serde, and a key.
#[join]
fn priced(order: Order, price: f64, key: Key<String>) -> Result<String> {
    Ok(format!("{} {} {}", key.0, order.name, f64::from(order.count) * price))
}

#[derive(serde::Deserialize)]
struct Order<'a> {
    name: &'a str,
    count: u32,
}

/// Returns the input of a join, which has no single value.
#[join]
fn nothing(_left: Doc, _right: Doc) -> Unchanged {
    Unchanged
}

plugin! { name: "joins", functions: [both, priced, nothing] }

fn run(function: &str, pair: Pair) -> Outcome {
    Bench::new(&PLUGIN).join(function, &[pair]).remove(0)
}

#[test]
fn a_side_that_is_missing_is_none() {
    let (left, right) = (Record::new("k", "l").at(1).from("a"), Record::new("k", "r").at(2).from("b"));
    let both = run("both", Pair::new(left.clone(), right.clone()));
    assert_eq!(both.texts(), [r#"Some("l") Some("r") (Some(1), Some(2)) 2 a"#]);
    assert_eq!(run("both", Pair::left_only(left)).texts(), [r#"Some("l") None (Some(1), None) 1 a"#]);
    assert_eq!(run("both", Pair::right_only(right)).texts(), [r#"None Some("r") (None, Some(2)) 2 "#]);
}

#[test]
fn failures_name_the_side_the_argument_and_the_reason() {
    let order = Record::new("k", r#"{"name":"nut","count":3}"#);
    assert_eq!(run("priced", Pair::new(order.clone(), Record::new("k", "1.5"))).texts(), ["k nut 4.5"]);
    let partial = Record::new("k", r#"{"name":"nut"}"#);
    assert_eq!(
        run("priced", Pair::new(partial, Record::new("k", "1.5"))).failure(),
        "bad-value: left value (order): missing field `count` at line 1 column 14"
    );
    assert_eq!(
        run("priced", Pair::left_only(order)).failure(),
        "null-value: right value (price): null, expected a value"
    );
}

#[test]
fn a_join_that_puts_out_its_input_unchanged_fails() {
    let record = Record::new("k", "{}");
    assert!(run("nothing", Pair::new(record.clone(), record)).failure().starts_with("undeclared: an output without"));
}

#[test]
fn bare_values_can_be_joined_again_and_again_on_one_bench() {
    let mut bench = Bench::new(&PLUGIN);
    for turn in 0..2 {
        let mut outputs = Vec::new();
        let failed = bench.join_values("both", &[(b"l", b"r"), (b"m", b"s")], |value| outputs.push(value.to_vec()));
        assert_eq!((failed, outputs.len()), (0, 2), "turn {turn}");
        assert!(outputs[1].starts_with(br#"Some("m") Some("s")"#));
    }
}

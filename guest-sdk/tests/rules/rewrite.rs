use millrace_sdk::prelude::*;
use millrace_sdk::testing::Bench;
use serde::{Deserialize, Serialize};

/// A price in cents. Version 1 had it in units, as a number with a fraction.
#[derive(Serialize, Deserialize)]
struct Price {
    cents: f64,
}

impl State for Price {
    const VERSION: u32 = 2;
    const READS: &[u32] = &[1];

    fn upgrade(version: u32, bytes: &[u8]) -> Result<Self> {
        match version {
            1 => Ok(Self { cents: serde_json::from_slice::<f64>(bytes)? * 100.0 }),
            _ => Err(no_upgrade(version)),
        }
    }
}

#[process]
fn prices(key: Key<String>, price: f64, names: Store<String, String>, prices: Store<String, Price>) -> Result<()> {
    names.put(&key, &key.0)?;
    prices.put(&key, &Price { cents: price })
}

/// The highest price of a key.
struct Highest;

#[aggregate]
impl Aggregate for Highest {
    type Key = String;
    type Input = f64;
    type State = Price;
    type Output = f64;

    fn init(_key: &String) -> Price {
        Price { cents: 0.0 }
    }

    fn add(highest: &mut Price, _key: &String, price: f64, _ctx: &Ctx) -> Result<()> {
        highest.cents = highest.cents.max(price);
        Ok(())
    }

    fn result(highest: &Price, _key: &String, _ctx: &Ctx) -> Result<f64> {
        Ok(highest.cents)
    }
}

/// Has no store.
#[process]
fn pass(price: f64) -> f64 {
    price
}

plugin! { name: "prices", functions: [prices, Highest, pass] }

fn bytes(text: &str) -> Vec<u8> {
    text.into()
}

#[test]
fn a_value_of_an_older_version_is_rewritten_in_the_newest() {
    let mut bench = Bench::new(&PLUGIN);
    assert_eq!(bench.rewrite("prices", "prices", 1, "1.5"), Ok((2, bytes(r#"{"cents":150.0}"#))));
    assert_eq!(bench.rewrite("highest", "highest", 1, "2"), Ok((2, bytes(r#"{"cents":200.0}"#))));
    assert_eq!(bench.rewrite("prices", "names", 1, r#" "ann" "#), Ok((1, bytes(r#""ann""#))));
}

#[test]
fn a_value_that_can_not_be_read_or_written_has_the_reason() {
    let mut bench = Bench::new(&PLUGIN);
    let mut reason = |version, value| bench.rewrite("prices", "prices", version, value).unwrap_err();
    assert_eq!(reason(1, "cheap"), "expected value at line 1 column 1");
    assert_eq!(reason(3, "1"), "state is of version 3, which this plugin can't read");
    // In version 2 it isn't finite, and would be null.
    let endless = format!("1{}", "0".repeat(308));
    assert_eq!(reason(1, &endless), "state: invalid type: null, expected f64 at line 1 column 13");
}

#[test]
#[should_panic(expected = "a store of this name")]
fn a_function_without_a_store_has_none_to_rewrite() {
    let _ = Bench::new(&PLUGIN).rewrite("pass", "pass", 1, "1");
}

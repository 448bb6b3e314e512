//! A left join: the right side may be missing.

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Pair, Record};

/// The order, with the tier of its customer.
#[join]
fn enrich(mut order: Doc, customer: Option<Customer>) -> Doc {
    order.set("customerTier", customer.as_ref().map(|customer| customer.tier));
    order
}

/// What of a customer is needed here. It borrows from the record.
#[derive(serde::Deserialize)]
struct Customer<'a> {
    tier: &'a str,
}

plugin! { name: "enrich-orders", functions: [enrich] }

fn main() {
    let order = || Record::new("ann", r#"{"orderId":1,"amount":9.90}"#);
    let customer = Record::new("ann", r#"{"name":"Ann","tier":"gold"}"#);
    for outcome in Bench::new(&PLUGIN).join("enrich", &[Pair::new(order(), customer), Pair::left_only(order())]) {
        println!("{}", outcome.texts().concat());
    }
}

//! A join whose right side may be missing: a left join, or a left lookup in a table.
//!
//! ```text
//! [[lookup]]
//! name = "enriched"
//! stream = "orders"
//! table = "customers"
//! kind = "left"
//! call = "enrich-orders.enrich"
//! ```

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Pair, Record};

/// The order, with the tier of its customer.
#[join]
fn enrich(mut order: Doc, customer: Option<Customer>) -> Doc {
    order.set("customerTier", customer.as_ref().map(|customer| customer.tier));
    order
}

/// The needed fields of a customer. They borrow from the record.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn enrich_one(pair: Pair) -> Vec<String> {
        Bench::new(&PLUGIN).join("enrich", &[pair]).remove(0).texts()
    }

    #[test]
    fn an_order_gets_the_tier_of_its_customer_and_keeps_the_rest_as_it_was() {
        let pair = Pair::new(Record::new("ann", r#"{"amount":9.90}"#), Record::new("ann", r#"{"tier":"gold"}"#));
        assert_eq!(enrich_one(pair), [r#"{"amount":9.90,"customerTier":"gold"}"#]);
    }

    #[test]
    fn an_order_of_nobody_known_has_no_tier() {
        let pair = Pair::left_only(Record::new("ann", r#"{"amount":9.90}"#));
        assert_eq!(enrich_one(pair), [r#"{"amount":9.90,"customerTier":null}"#]);
    }
}

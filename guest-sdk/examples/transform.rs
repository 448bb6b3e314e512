//! Transforms: one record in, any number out, on named ports or under another key.
//!
//! ```text
//! [[transform]]
//! name = "by-merchant"
//! from = "payments"
//! call = "split-payments.by_merchant"
//!
//! # Records of one merchant get to one partition: the host puts a repartition topic between the two steps.
//! [[aggregate]]
//! name = "merchants"
//! from = "by-merchant"
//! call = "..."
//! ```

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Record};

/// Sends large payments to a person, and others straight on. Skips payments of nothing.
#[transform(ports(small, large), codes("nothing"))]
fn split(payment: Doc) -> Result<Output> {
    let amount = payment.f64("amount")?;
    if amount == 0.0 {
        return Err(Error::skip("nothing"));
    }
    if amount < 0.0 {
        return Err(payment.invalid("amount", "must not be below 0"));
    }
    Ok(Output::to(if amount > 1000.0 { split::LARGE } else { split::SMALL }).unchanged())
}

/// Sends payments on unchanged, under the key of their merchant.
#[transform(rekey)]
fn by_merchant(payment: Doc) -> Result<Output> {
    let merchant = payment.str("merchant")?.into_owned();
    Ok(Output::new().key(merchant).unchanged())
}

plugin! { name: "split-payments", functions: [split, by_merchant] }

fn main() {
    let payments = ["10.5", "2000", "0", "-1"].map(|n| Record::new("ann", format!(r#"{{"amount":{n}}}"#)));
    for outcome in Bench::new(&PLUGIN).transform("split", &payments) {
        println!("{outcome:?}");
    }
}

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::Outcome;

    use super::*;

    #[test]
    fn a_payment_goes_on_unchanged_under_the_key_of_its_merchant() {
        let payment = r#"{ "amount": 3, "merchant": "bookshop" }"#;
        let outcome = Bench::new(&PLUGIN).transform("by_merchant", &[Record::new("ann", payment)]).remove(0);
        assert_eq!(outcome.keys(), [Some(&b"bookshop"[..])]);
        assert_eq!(outcome.texts(), [payment]);
    }

    fn split_one(value: &str) -> Outcome {
        Bench::new(&PLUGIN).transform("split", &[Record::new("ann", value)]).remove(0)
    }

    #[test]
    fn payments_go_to_the_port_of_their_size_unchanged() {
        for (amount, port) in [("10.50", "small"), ("1000", "small"), ("1000.01", "large")] {
            let payment = format!(r#"{{ "amount": {amount} }}"#);
            let outcome = split_one(&payment);
            assert_eq!(outcome.texts(), [payment]);
            assert_eq!(outcome.ports(), [port]);
        }
    }

    #[test]
    fn payments_of_nothing_are_left_out_and_negative_ones_fail() {
        assert_eq!(split_one(r#"{"amount":0}"#), Outcome::Skip("nothing".into()));
        assert!(split_one(r#"{"amount":-1}"#).failure().contains("must not be below 0"));
    }
}

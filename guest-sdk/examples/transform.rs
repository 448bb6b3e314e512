//! A transform: one record in, any number out, on named ports.

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Record};

/// Sends payments to be looked at by a person, or straight on. Payments of nothing are left out.
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

plugin! { name: "split-payments", functions: [split] }

fn main() {
    let payments = ["10.5", "2000", "0", "-1"].map(|n| Record::new("ann", format!(r#"{{"amount":{n}}}"#)));
    for outcome in Bench::new(&PLUGIN).transform("split", &payments) {
        println!("{outcome:?}");
    }
}

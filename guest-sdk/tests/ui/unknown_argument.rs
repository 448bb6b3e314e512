use millrace_sdk::prelude::*;

#[transform(port(high))]
fn split(payment: Doc) -> Doc {
    payment
}

#[aggregate(ports(high))]
impl Aggregate for () {}

#[transform(ports(high, high))]
fn twice(payment: Doc) -> Doc {
    payment
}

#[transform(ports(high), rekey)]
fn moved(payment: Doc) -> Doc {
    payment
}

fn main() {}

use millrace_sdk::prelude::*;

#[transform(ports(high, low))]
fn split(_payment: Doc) -> Output {
    Output::to(split::MIDDLE)
}

fn main() {}

use millrace_sdk::prelude::*;

#[transform]
fn check(order: Doc) -> Doc {
    order
}

plugin! { functions: [check] }

fn main() {}

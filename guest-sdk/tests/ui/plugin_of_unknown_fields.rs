use millrace_sdk::prelude::*;

#[transform]
fn check(order: Doc) -> Doc {
    order
}

plugin! { name: "orders", author: "me", functions: [check] }

fn main() {}

use millrace_sdk::prelude::*;

fn resolve(payment: Doc) -> Doc {
    payment
}

plugin! { name: "orders", functions: [resolve] }

fn main() {}

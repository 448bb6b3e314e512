use millrace_sdk::prelude::*;

#[transform]
async fn later(order: Doc) -> Doc {
    order
}

#[transform]
fn generic<T>(order: T) -> T {
    order
}

#[transform]
fn format(order: Doc) -> Doc {
    order
}

fn main() {}

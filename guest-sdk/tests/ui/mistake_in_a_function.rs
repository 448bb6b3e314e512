use millrace_sdk::prelude::*;

#[transform]
fn resolve(payment: Doc, stock: Doc) -> Result<Doc> {
    Ok(stock)
}

#[transform]
fn pass(order: Doc) -> Doc {
    order
}

struct Count;

#[aggregate]
impl Count {}

plugin! { name: "orders", functions: [pass, resolve, Count] }

fn main() {
    let _ = (&PLUGIN, resolve);
}

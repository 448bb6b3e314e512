use millrace_sdk::prelude::*;

#[transform]
fn resolve(payment: Doc, stock: Doc) -> Result<Doc> {
    Ok(stock)
}

fn main() {}

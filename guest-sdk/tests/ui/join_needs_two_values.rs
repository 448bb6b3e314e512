use millrace_sdk::prelude::*;

#[join]
fn resolve(payment: Doc) -> Result<Doc> {
    Ok(payment)
}

fn main() {}

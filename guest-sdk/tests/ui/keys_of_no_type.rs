use millrace_sdk::prelude::*;

#[transform]
fn wrong(key: Key<f64>) -> Result<String> {
    Ok(key.to_string())
}

#[transform]
fn bare(key: Key) -> Result<String> {
    Ok(String::new())
}

fn main() {}

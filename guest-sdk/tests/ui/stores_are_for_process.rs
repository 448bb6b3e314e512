use millrace_sdk::prelude::*;

#[transform]
fn count(key: Key<String>, counts: Store<String, u64>) -> Result<u64> {
    Ok(counts.get(&key)?.unwrap_or(0))
}

fn main() {}

use millrace_sdk::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Total(f64);

#[process]
fn sum(n: f64, key: Key<String>, totals: Store<String, Total>) -> Result<f64> {
    totals.put(&key, &Total(n))?;
    Ok(n)
}

fn main() {}

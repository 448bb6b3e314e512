use millrace_sdk::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Total(f64);

impl State for Total {}

fn main() {}

use millrace_sdk::prelude::*;

struct Sum;

#[aggregate]
impl Aggregate for Sum {
    type Key = String;
    type State = u64;
    type Output = u64;
}

#[aggregate]
fn sum() {}

fn main() {}

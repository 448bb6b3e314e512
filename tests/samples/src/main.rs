//! Writes `samples/orders.jsonl` anew: `just samples`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/orders.jsonl");
    std::fs::write(path, millrace_samples::orders())
}

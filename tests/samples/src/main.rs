//! Writes `samples/orders.jsonl` of the checkout in which it runs anew: `just samples`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let path = Path::new("samples/orders.jsonl");
    if !path.exists() {
        eprintln!("no {} here: run it in the top folder of a checkout, as `just samples` does", path.display());
        return ExitCode::FAILURE;
    }
    match std::fs::write(path, millrace_samples::orders()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

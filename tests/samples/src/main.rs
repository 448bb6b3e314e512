//! Writes the files under `samples/` of the checkout in which it runs anew: `just samples`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    if !Path::new("samples/orders.jsonl").exists() {
        eprintln!("no samples/orders.jsonl here: run it in the top folder of a checkout, as `just samples` does");
        return ExitCode::FAILURE;
    }
    for (name, lines) in millrace_samples::SAMPLES {
        let path = format!("samples/{name}.jsonl");
        if let Err(error) = std::fs::write(&path, lines()) {
            eprintln!("{path}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

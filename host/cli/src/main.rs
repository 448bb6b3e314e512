//! The `millrace` command.

use std::process::ExitCode;

use millrace_cli::args::Arguments;
use millrace_cli::commands::dispatch;
use millrace_cli::exit::{USAGE, code_of, text_of};
use millrace_cli::{log, say};

/// Records are many small allocations that live for a transaction: mimalloc is faster for these than the system's
/// allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, which the bindings don't name: milliseconds until free memory goes back to
/// the system.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// A transaction uses the memory that the one before it freed. With the default of 10 ms that memory would go back to
/// the system and return page by page: 7% of all CPU time, measured with the orders pipeline on Kafka.
#[allow(unsafe_code, reason = "the allocator's function has no safe form")]
fn keep_memory() {
    // SAFETY: an option may be set at any time; the allocator ignores numbers that it doesn't know.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 1_000) }
}

fn main() -> ExitCode {
    keep_memory();
    let arguments = Arguments::from_command_line();
    if let Err(error) = log::start() {
        say(format_args!("error: {error}"));
        return ExitCode::from(USAGE);
    }
    let Err(error) = dispatch(arguments.command) else { return ExitCode::SUCCESS };
    let code = code_of(&error);
    if code != 0 {
        say(text_of(&error));
    }
    ExitCode::from(code)
}

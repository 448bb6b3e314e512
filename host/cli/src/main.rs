//! The `millrace` command.

use std::process::ExitCode;

use millrace_cli::args::Arguments;
use millrace_cli::commands::dispatch;
use millrace_cli::exit::{USAGE, code_of, text_of};
use millrace_cli::{log, say};

/// Records are many small allocations that live for a transaction: mimalloc is faster at that than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, which the bindings don't name: after how many milliseconds memory that is free
/// goes back to the system.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// A transaction takes the memory that the one before it gave back. In the default of 10 ms it would go to the system
/// and come again, page by page: 7% of all CPU time, measured on orders on Kafka.
#[allow(unsafe_code, reason = "a call of the allocator's that has no safe form")]
fn keep_memory() {
    // SAFETY: an option may be set at any time; a number that the allocator doesn't know is ignored.
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

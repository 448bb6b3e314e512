//! The `millrace` command.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use millrace_cli::args::Arguments;
use millrace_cli::commands::dispatch;
use millrace_cli::exit::{code_of, text_of};
use millrace_cli::say;
use tracing_subscriber::EnvFilter;

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
    start_log();
    let Err(error) = dispatch(arguments.command) else { return ExitCode::SUCCESS };
    let code = code_of(&error);
    if code != 0 {
        say(text_of(&error));
    }
    ExitCode::from(code)
}

fn start_log() {
    let filter = EnvFilter::try_from_env("MILLRACE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = io::stderr().is_terminal();
    // Whoever reads the log may go away; that must not stop the app.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let builder = builder.log_internal_errors(false);
    if terminal {
        builder.with_ansi(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())).init();
    } else {
        builder.json().init();
    }
}

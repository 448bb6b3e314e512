//! Signals: the first one stops the app after a commit, a second one ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// Returns a flag that SIGTERM, SIGINT (Ctrl-C) or SIGHUP sets; the signal also unparks this thread. If the process was
/// started with SIGHUP ignored, as by `nohup`, SIGHUP stays ignored, so that the app outlives its terminal.
///
/// A second SIGTERM or SIGINT ends the process with 128 plus the signal's number, as in shells. SIGHUP doesn't: some
/// supervisors send it right after SIGTERM. No record is lost: the next start processes the uncommitted ones again.
pub(super) fn stop_on_signal() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, runner) = (Arc::clone(&stop), thread::current());
    let mut caught = vec![SIGTERM, SIGINT];
    if !is_ignored(SIGHUP)? {
        caught.push(SIGHUP);
    }
    let mut signals = Signals::new(caught)?;
    let follow = move || {
        let mut asked = false;
        for signal in signals.forever() {
            let name = low_level::signal_name(signal).unwrap_or("a signal");
            // When a terminal is closed, SIGHUP comes, and SIGTERM from the session after it: that is one request to
            // stop.
            let again = asked;
            asked |= signal != SIGHUP;
            if !flag.swap(true, Ordering::Relaxed) {
                tracing::info!(
                    "{name}: finishing and committing the records in flight; SIGTERM or SIGINT ends the process at once"
                );
                runner.unpark();
            } else if again && signal != SIGHUP {
                tracing::warn!("{name} again: ending at once; the next start processes the uncommitted records again");
                low_level::exit(128 + signal);
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(follow)?;
    Ok(stop)
}

/// Whether the process was started with a signal ignored.
#[allow(unsafe_code, reason = "the system call has no safe form")]
fn is_ignored(signal: i32) -> io::Result<bool> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action, the call only writes the present one to the given place. It is plain data.
    let action = unsafe {
        if libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        action.assume_init()
    };
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

//! Signals: the first one stops the app in order, and another one ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// A flag that is set on SIGTERM, SIGINT (Ctrl-C) or SIGHUP, and this thread is woken. SIGHUP is left alone where it was
/// ignored when the process started: `nohup` does that, so that the app outlives its terminal.
///
/// A second SIGTERM or SIGINT ends the process with 128 and the number of the signal, as shells have it. SIGHUP doesn't, since
/// some supervisors send it right behind SIGTERM. No record is lost by that: the next start processes again those that were
/// not committed yet.
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
            // A terminal that is closed sends SIGHUP, and its session SIGTERM behind it: nobody is impatient yet.
            let again = asked;
            asked |= signal != SIGHUP;
            if !flag.swap(true, Ordering::Relaxed) {
                tracing::info!("{name}: finishing and committing what is under way; SIGTERM or SIGINT ends it at once");
                runner.unpark();
            } else if again && signal != SIGHUP {
                tracing::warn!("{name} again: ending at once; what isn't committed is processed at the next start");
                low_level::exit(128 + signal);
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(follow)?;
    Ok(stop)
}

/// Whether the process was started with a signal ignored.
#[allow(unsafe_code, reason = "a question to the system that has no safe form")]
fn is_ignored(signal: i32) -> io::Result<bool> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call only writes the present one, of which all is plain data, to where it is told.
    let action = unsafe {
        if libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        action.assume_init()
    };
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

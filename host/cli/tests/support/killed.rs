//! Processes that are killed while they work.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Starts a command whose output isn't read.
pub fn start_unread(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills a process after this time. Returns whether it still ran: it may be done before.
pub fn kill_after(process: &mut Child, time: Duration) -> bool {
    let was_running = ends_within(process, time).is_none();
    process.kill().unwrap();
    process.wait().unwrap();
    was_running
}

/// Waits until a process ends well.
pub fn wait_for_success(process: &mut Child, patience: Duration) {
    let status = ends_within(process, patience).expect("it doesn't come to rest");
    assert!(status.success(), "{status}");
}

fn ends_within(process: &mut Child, time: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + time;
    loop {
        match process.try_wait().unwrap() {
            None if Instant::now() < end => std::thread::park_timeout(Duration::from_millis(10)),
            status => return status,
        }
    }
}

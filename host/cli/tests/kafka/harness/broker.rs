//! Brokers: a shared one for scenarios that don't touch it, and own ones for the others.

use std::sync::{Mutex, PoisonError};

use millrace_broker::{Cluster, Options, for_test};

/// The shared broker. It ends with this process.
static SHARED: Mutex<Option<Cluster>> = Mutex::new(None);

/// Bootstrap servers of the shared broker; `None` if Kafka can't run.
#[track_caller]
pub fn shared_broker() -> Option<String> {
    // A scenario that failed has not hurt it.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = own_broker(options());
    }
    shared.as_ref().map(Cluster::bootstrap)
}

/// One node that accepts short session timeouts, since processes are killed and restarted here, and that aborts expired
/// transactions at once, not up to ten seconds later.
pub fn options() -> Options {
    let settings = vec![
        ("group.min.session.timeout.ms".into(), "500".into()),
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms".into(), "200".into()),
    ];
    Options { settings, ..Options::default() }
}

/// A cluster of a scenario's own; `None` if Kafka can't run.
#[track_caller]
pub fn own_broker(options: Options) -> Option<Cluster> {
    for_test(options).unwrap()
}

//! Brokers: one for all scenarios that leave it alone, and others for those that don't.

use std::sync::{Mutex, PoisonError};

use millrace_broker::{Cluster, Options, for_test};

/// Ends with this process: a cluster outlives nobody who holds it.
static SHARED: Mutex<Option<Cluster>> = Mutex::new(None);

/// Bootstrap servers of the broker that scenarios share; nothing where Kafka can't run.
#[track_caller]
pub fn shared_broker() -> Option<String> {
    // A scenario that failed has not hurt it.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = own_broker(options());
    }
    shared.as_ref().map(Cluster::bootstrap)
}

/// One node, which lets members of groups be missed after a short time: who is killed here comes back soon, and only
/// then. It ends a transaction when that has become too old, and not up to ten seconds later.
pub fn options() -> Options {
    let settings = vec![
        ("group.min.session.timeout.ms".into(), "500".into()),
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms".into(), "200".into()),
    ];
    Options { settings, ..Options::default() }
}

/// A cluster that a scenario has for itself; nothing where Kafka can't run.
#[track_caller]
pub fn own_broker(options: Options) -> Option<Cluster> {
    for_test(options).unwrap()
}

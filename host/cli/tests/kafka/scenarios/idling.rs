//! `--until-idle` with several processes: a process ends only when all input of the app is processed, also that of the
//! others.

use nix::sys::signal::Signal;

use crate::harness::{App, Settings, Shape, shared_broker, until};

/// Records a second.
const RATE: u32 = 300;

/// Transaction timeout: the halted process's transaction is aborted after it.
const SHORT: &str = r#""transaction.timeout.ms" = 5000"#;

#[test]
fn a_run_until_idle_waits_for_the_partitions_of_a_dead_member_of_the_group() {
    let Some(broker) = shared_broker() else { return };
    // The session timeout is so long that the other process has finished its own input long before.
    let settings = Settings { kafka: SHORT, session: 15_000, ..Settings::default() };
    let app = App::new(&broker, "idle", Shape { seed: 14, orders: 9_000, giants: None }, settings);
    let feeder = app.feed(Some(RATE));
    let mut halted = app.start("halted");
    halted.wait_until_running();
    let mut last = app.start_with("last", "--until-idle");
    last.wait_until_running();
    until("both are members", || app.kafka.members(&app.name).is_ok_and(|members| members == 2));
    app.wait_for_more(200);

    halted.signal(Signal::SIGSTOP);
    feeder.finish();
    last.wait_until_it_says("isn't committed up to its end yet");
    assert_eq!(app.kafka.members(&app.name).unwrap(), 2, "it was to be asked before the other one is missed");
    assert!(last.wait().success());
    let mut left = None;
    until("it is known what is left", || {
        left = app.lag().ok();
        left.is_some()
    });
    assert_eq!(left, Some(0), "it ended, and this much was not processed");
    halted.kill();
    app.check("last");
}

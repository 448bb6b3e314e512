//! A process that is halted past all timeouts, and then goes on.

use nix::sys::signal::Signal;

use crate::harness::{App, Settings, Shape, shared_broker, until};

/// Records a second.
const RATE: u32 = 400;

/// The session timeout is six seconds, the transaction timeout five.
const SHORT: &str = r#""max.poll.interval.ms" = 7000
"transaction.timeout.ms" = 5000"#;

#[test]
fn a_process_that_is_halted_past_all_timeouts_writes_nothing_more_and_rejoins_the_group() {
    let Some(broker) = shared_broker() else { return };
    let settings = Settings { kafka: SHORT, session: 6_000, ..Settings::default() };
    let app = App::new(&broker, "zombie", Shape { seed: 6, orders: 25_000, giants: None }, settings);
    let feeder = app.feed(Some(RATE));
    let mut zombie = app.start("zombie");
    zombie.wait_until_running();
    app.wait_for_more(1_000);
    let mut heir = app.start("heir");
    heir.wait_until_running();
    app.wait_for_more(500);

    zombie.signal(Signal::SIGSTOP);
    until("it is no member any more", || app.kafka.members(&app.name).is_ok_and(|members| members == 1));
    // Its open transaction is aborted, and the other process has its records.
    until("the other one has all", || heir.times_running() > 1);
    app.wait_for_more(2_000);
    app.no_transaction_of_the_dead_is_open();

    let runs = zombie.times_running();
    zombie.signal(Signal::SIGCONT);
    until("it is a member again", || app.kafka.members(&app.name).is_ok_and(|members| members == 2));
    until("it runs again", || zombie.times_running() > runs);
    app.wait_for_more(500);

    heir.stop();
    feeder.finish();
    app.finish(zombie, "zombie");
}

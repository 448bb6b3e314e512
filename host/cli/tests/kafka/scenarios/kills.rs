//! `kill -9` again and again, while records come in.

use std::time::{Duration, Instant};

use crate::harness::{App, Process, Settings, Shape, shared_broker};
use crate::support::Dice;

/// Records a second.
const RATE: u32 = 500;

#[test]
fn a_process_that_is_killed_every_few_seconds_and_keeps_its_state_loses_and_doubles_nothing() {
    let Some(broker) = shared_broker() else { return };
    // Two records an order: a minute.
    let app = App::new(&broker, "kept", Shape { seed: 2, orders: 15_000, giants: None }, Settings::default());
    kill_while_it_is_fed(&app, false);
}

#[test]
fn a_process_that_is_killed_every_few_seconds_and_loses_its_state_loses_and_doubles_nothing() {
    let Some(broker) = shared_broker() else { return };
    // A process with another folder has other transactional ids, and must wait until the broker aborts the open
    // transactions.
    let settings = Settings { kafka: r#""transaction.timeout.ms" = 3000"#, ..Settings::default() };
    let app = App::new(&broker, "wiped", Shape { seed: 3, orders: 10_000, giants: None }, settings);
    kill_while_it_is_fed(&app, true);
}

fn kill_while_it_is_fed(app: &App, wipe: bool) {
    let mut dice = Dice::new(app.input.len() as u64);
    let feeder = app.feed(Some(RATE));
    let mut process = app.start("data");
    let (mut kills, mut advances) = (0_u32, 0_u32);
    while !feeder.has_ended() {
        let before = app.put_out();
        // Every fifth dies while it starts, the others when they run.
        if kills % 5 != 4 {
            process.wait_until_running();
        }
        live_for(&mut process, Duration::from_millis(dice.below(2_000)));
        advances += u32::from(app.put_out() > before);
        kills += 1;
        process.kill();
        if wipe {
            std::fs::remove_dir_all(app.path("data")).unwrap();
        }
        process = app.start("data");
    }
    feeder.finish();
    eprintln!("{}: {kills} kills, and output grew before {advances} of them", app.name);
    assert!(advances > 3, "only {advances} of {kills} kills hit a process that had put out something");
    app.finish(process, "data");
}

/// Sleeps until the next kill: no condition to wait for.
fn live_for(process: &mut Process, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(process.is_alive(), "it was to live until it is killed");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

//! Brokers that fail under load.

use std::time::{Duration, Instant};

use millrace_broker::{Cluster, Options};

use crate::harness::{App, PATIENCE, Process, Settings, Shape, options, own_broker, until};

/// Records a second.
const RATE: u32 = 300;

/// Time that a broker is down: longer than the transaction timeout and the session timeout.
const AWAY: Duration = Duration::from_secs(20);

/// One topic may be available long before another.
const SETTINGS: Settings = Settings {
    within: "10m",
    kafka: r#""transaction.timeout.ms" = 10000"#,
    session: 6_000,
    largest_order: 1_048_588,
    with_orders: true,
};

/// The broker stops between two transactions, and finds a backlog when it starts. It doesn't stop during one: if a
/// transaction ends while a partition has no leader, as when the only node stops, Kafka 4.3 loses its markers and
/// reports it as complete (KAFKA-20734). No client can make up for that. The scenario below has three nodes.
#[test]
fn a_process_waits_for_a_broker_that_is_down_for_long() {
    let Some(mut cluster) = own_broker(options()) else { return };
    let app = App::new(&cluster.bootstrap(), "away", Shape { seed: 20, orders: 30_000, giants: None }, SETTINGS);
    let feeder = app.feed(Some(RATE));
    let mut process = app.start("data");
    process.wait_until_running();
    app.wait_for_more(1_000);
    feeder.hold(true);
    app.wait_until_caught_up(PATIENCE);
    app.no_transaction_is_open();
    cluster.stop(0).unwrap();
    feeder.hold(false);
    stays_alive_for(&mut process, AWAY);
    cluster.start_node(0).unwrap();
    app.wait_for_more(1_000);
    assert!(process.is_alive(), "it should wait for brokers");
    feeder.finish();
    app.finish(process, "data");
}

#[test]
fn an_app_goes_on_while_one_of_three_brokers_has_lost_power() {
    harm_each_node("power", |cluster, node| cluster.kill(node).unwrap());
}

#[test]
fn an_app_goes_on_while_the_brokers_restart_one_by_one() {
    harm_each_node("rolled", |cluster, node| cluster.stop(node).unwrap());
}

fn harm_each_node(name: &str, harm: impl Fn(&mut Cluster, usize)) {
    let settings = options().settings;
    let Some(mut cluster) = own_broker(Options { nodes: 3, settings, ..Options::default() }) else { return };
    let app = App::new(&cluster.bootstrap(), name, Shape { seed: 21, orders: 30_000, giants: None }, SETTINGS);
    let feeder = app.feed(Some(RATE));
    let mut process = app.start("data");
    process.wait_until_running();
    app.wait_for_more(500);
    for node in 0..cluster.nodes() {
        harm(&mut cluster, node);
        app.wait_for_more(500);
        // Tasks move while a node is gone, and so have to ask who leads what.
        let mut other = app.start("other");
        other.wait_until_running();
        app.wait_for_more(200);
        other.stop();
        app.wait_for_more(200);
        cluster.start_node(node).unwrap();
        until("all replicas are in sync", || app.kafka.replicas_in_sync().is_ok_and(|replicas| replicas == 3));
    }
    assert!(process.is_alive(), "two of three nodes are enough");
    feeder.finish();
    app.finish(process, "data");
}

/// Sleeps while a broker is down: no condition to wait for.
fn stays_alive_for(process: &mut Process, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(process.is_alive(), "it should wait for brokers");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

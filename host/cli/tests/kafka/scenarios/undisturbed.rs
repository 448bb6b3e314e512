//! No faults: two workers, four partitions, and some records that can't be processed.

use crate::harness::{App, PATIENCE, Settings, Shape, shared_broker};

/// Bytes: more than the topic `orders` takes, and less than the limits of the input and of the sums.
const GIANT: usize = 40_000;

#[test]
fn a_broken_empty_or_too_large_record_does_not_harm_others_in_its_transaction() {
    let Some(broker) = shared_broker() else { return };
    let shape = Shape { seed: 1, orders: 30_000, giants: Some((500, GIANT)) };
    let app = App::new(&broker, "calm", shape, Settings { largest_order: 20_000, ..Settings::default() });
    app.feed_all();
    let process = app.start("data");
    app.wait_until_caught_up(PATIENCE);
    let said = process.stop();
    let found = app.check("data");
    assert_eq!(said["dead_lettered"].as_u64(), Some(found.dead_letters as u64), "{said}");
    assert_eq!(said["dropped"].as_u64(), Some(found.dropped as u64), "{said}");
}

//! Two processes with the same transactional ids, on one folder or on copies of it.

use crate::harness::{App, Settings, Shape, copy_folder, shared_broker, until};

/// Records a second.
const RATE: u32 = 400;

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "same", Shape { seed: 7, orders: 2_000, giants: None }, Settings::default());
    app.feed_all();
    let mut first = app.start("data");
    first.wait_until_running();
    let mut second = app.start("data");
    assert_eq!(second.wait().code(), Some(75));
    assert!(second.says("another process runs on this folder"), "{:?}", second.entries());
    assert!(second.says("data:"), "it should name the folder: {:?}", second.entries());
    app.finish(first, "data");
}

#[test]
fn one_of_two_processes_on_copies_of_a_folder_stops_and_says_why() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "copy", Shape { seed: 8, orders: 20_000, giants: None }, Settings::default());
    let feeder = app.feed(Some(RATE));
    let mut original = app.start("original");
    original.wait_until_running();
    app.wait_for_more(1_000);
    original.stop();
    copy_folder(&app.path("original"), &app.path("copy"));

    let mut original = app.start("original");
    original.wait_until_running();
    let mut copy = app.start("copy");
    until("one of them gives up", || !original.is_alive() || !copy.is_alive());
    let (mut loser, winner, data) =
        if copy.is_alive() { (original, copy, "copy") } else { (copy, original, "original") };
    assert_eq!(loser.wait().code(), Some(1));
    assert!(loser.says("another process has taken over the transactional id"), "{:?}", loser.entries().last());
    assert!(loser.says("`copy-"), "it should name the id: {:?}", loser.entries().last());
    feeder.finish();
    app.finish(winner, data);
}

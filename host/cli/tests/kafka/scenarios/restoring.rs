//! Starts with the process's own state, without state, and with that of something else.

use crate::harness::{App, PATIENCE, Process, Settings, Shape, copy_folder, options, own_broker, shared_broker};

/// Several tasks share the changelog of operators' clocks: each also reads the later records of the others.
const FEW: u64 = 500;

/// Number of changelog records that a process restored before it ran.
fn restored(process: &Process) -> u64 {
    process.logged("restored").iter().filter_map(|entry| entry["records"].as_u64()).max().unwrap_or(0)
}

#[test]
fn a_restart_restores_the_end_of_a_changelog_and_a_start_without_state_all_of_it() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "tail", Shape { seed: 10, orders: 8_000, giants: None }, Settings::default());
    app.feed_all();
    let mut process = app.start("data");
    process.wait_until_running();
    app.wait_until_caught_up(PATIENCE);
    process.stop();

    let mut process = app.start("data");
    process.wait_until_running();
    assert!(restored(&process) < FEW, "after a stop, nothing is missing: {:?}", process.logged("restored"));
    process.kill();

    let mut process = app.start("data");
    process.wait_until_running();
    assert!(restored(&process) < FEW, "a kill takes nothing that is committed: {:?}", process.logged("restored"));
    process.stop();

    copy_folder(&app.path("data"), &app.path("kept"));
    std::fs::remove_dir_all(app.path("data")).unwrap();
    let mut process = app.start("data");
    process.wait_until_running();
    assert!(restored(&process) > 10_000, "all of it should be restored: {:?}", process.logged("restored"));
    app.finish(process, "data");
    app.check("kept");
}

#[test]
fn a_folder_of_another_program_is_refused_with_a_reason() {
    let Some(broker) = shared_broker() else { return };
    let shape = Shape { seed: 11, orders: 500, giants: None };
    let (mine, other) =
        (App::new(&broker, "mine", shape, Settings::default()), App::new(&broker, "other", shape, Settings::default()));
    other.feed_all();
    other.finish(other.start("data"), "data");
    copy_folder(&other.path("data"), &mine.path("data"));
    let mut process = mine.start("data");
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.says("it belongs to the app `other`, and this is `mine`"), "{:?}", process.entries().last());

    let said = mine.command("run pipeline.toml --data embedded --until-idle").output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let mut process = mine.start("embedded");
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.says("it holds an embedded log"), "{:?}", process.entries().last());
}

#[test]
fn a_start_without_its_changelog_is_refused_and_the_message_says_what_to_do() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "anew", Shape { seed: 12, orders: 1_000, giants: None }, Settings::default());
    app.feed_all();
    app.finish(app.start("data"), "data");
    let changelog = app.topic("sums-changelog");
    app.kafka.delete(&changelog);
    let mut process = app.start("data");
    assert_eq!(process.wait().code(), Some(1));
    assert!(
        process.says("the internal topic `anew-sums-changelog` has been deleted"),
        "{:?}",
        process.entries().last()
    );
    assert!(process.says("`millrace reset anew --kafka "), "{:?}", process.entries().last());
}

/// An unclean leader election does the same, and so does a disk that loses the last writes.
#[test]
fn a_start_with_state_ahead_of_its_changelog_is_refused_and_the_message_says_what_to_do() {
    let Some(mut cluster) = own_broker(options()) else { return };
    let shape = Shape { seed: 13, orders: 1_000, giants: None };
    let app = App::new(&cluster.bootstrap(), "ahead", shape, Settings::default());
    app.feed_all();
    app.finish(app.start("data"), "data");
    cluster.stop(0).unwrap();
    let changelog = app.topic("sums-changelog-");
    let mut emptied = 0;
    for entry in std::fs::read_dir(cluster.folder().join("node-0").join("data")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with(&changelog) {
            empty_log(&entry.path());
            emptied += 1;
        }
    }
    assert!(emptied > 0);
    cluster.start_node(0).unwrap();
    let mut process = app.start("data");
    assert_eq!(process.wait().code(), Some(1));
    let last = process.entries().pop();
    assert!(process.says("changelog `ahead-sums-changelog`, partition "), "{last:?}");
    assert!(process.says("it ends at offset 0, and the local state has all up to offset "), "{last:?}");
    assert!(process.says("`millrace reset ahead --kafka "), "{last:?}");

    // The other advice: the process restores its state from the records that are left.
    std::fs::remove_dir_all(app.path("data")).unwrap();
    let mut process = app.start("data");
    process.wait_until_running();
    process.stop();
}

/// Removes all records of a partition while its broker is down. The topic keeps its id.
fn empty_log(partition: &std::path::Path) {
    for entry in std::fs::read_dir(partition).unwrap().map(Result::unwrap) {
        if entry.file_name() != "partition.metadata" {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

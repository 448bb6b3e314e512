//! `millrace offsets`: shows and sets where an app continues.

use insta::assert_snapshot;

use crate::cluster::{OnKafka, count, on_kafka, pass};

/// The command's output for this app, without the cluster's address.
fn offsets(kafka: &OnKafka, words: &str) -> String {
    let said = kafka.millrace(&format!("offsets {words}"));
    let said = if said.code == Some(0) { said.good() } else { said.bad() };
    said.replace(&kafka.bootstrap, "BROKER")
}

/// An app that passes records of `<app>-in` on, has processed ten of them, and has three before it.
fn passed(app: &str) -> Option<OnKafka> {
    let kafka = on_kafka()?;
    kafka.place.write("pass.toml", pass(app, &format!("{app}-in"), &format!("{app}-out")));
    kafka.create(&format!("{app}-in"), 1);
    kafka.create(&format!("{app}-out"), 1);
    kafka.write(&format!("{app}-in"), (0, 10));
    kafka.run("pass.toml", "data").good();
    kafka.write(&format!("{app}-in"), (10, 13));
    Some(kafka)
}

#[test]
fn offsets_are_shown_with_end_and_lag_and_set_by_offset_and_by_time() {
    let Some(kafka) = passed("moved") else { return };
    assert_snapshot!(offsets(&kafka, "moved"), @"
    topic     partition  offset  first  end  lag  processed up to
    moved-in          0      10      0   13    3    1700000000009  no state here
    ");
    assert_snapshot!(offsets(&kafka, "moved --to-datetime 2023-11-14T22:13:20.004Z --yes"), @"
    To be set for the group `moved`:
    topic     partition  offset  new offset
    moved-in          0      10           4  no state here
    Records before a new offset aren't processed; those from it on are, also where they have been before.
    set: `moved` goes on there when it is started
    ");
    assert_snapshot!(offsets(&kafka, "moved --topic moved-in"), @"
    topic     partition  offset  first  end  lag  processed up to
    moved-in          0       4      0   13    9                -  set by hand
    ");
    kafka.run("pass.toml", "data").good();
    assert_eq!(kafka.read("moved-out").len(), 19, "the records from 4 to 9 came again, and three new ones");

    let set = |to: &str| {
        kafka.millrace(&format!("offsets moved {to} --yes")).good();
        let shown = kafka.millrace("offsets moved").good();
        shown.lines().last().unwrap_or_default().split_whitespace().nth(2).unwrap_or_default().to_owned()
    };
    assert_eq!(set("--to-earliest"), "0");
    assert_eq!(set("--to-latest"), "13");
    assert_eq!(set("--to-offset 11 --partition 0"), "11");
    assert_eq!(set("--to-datetime 1700000000003"), "3");
    assert_eq!(set("--to-datetime 2040-01-01T00:00:00+01:00"), "13", "no record is as late");

    // The app's own list of what it reads is gone.
    kafka.delete(&["moved-control"]);
    assert!(offsets(&kafka, "moved").contains("\nmoved-in "), "{}", offsets(&kafka, "moved"));
}

#[test]
fn offsets_are_not_set_for_a_running_app_an_unknown_partition_or_without_confirmation() {
    let Some(kafka) = passed("asked") else { return };
    let said = [
        offsets(&kafka, "asked --to-earliest"),
        offsets(&kafka, "asked --to-offset 14 --yes"),
        offsets(&kafka, "asked --topic aksed --to-latest --yes"),
        offsets(&kafka, "asked --partition 1"),
        offsets(&kafka, "nobody"),
    ];
    assert_snapshot!(said.join("\n"), @"
    exit 1: error: there is no terminal to ask on: say --yes; nothing was set
    standard output: To be set for the group `asked`:
    topic     partition  offset  new offset
    asked-in          0      10           0  no state here
    Records before a new offset aren't processed; those from it on are, also where they have been before.
    exit 1: error: topic `asked-in`, partition 0: offset 14 is out of range: its offsets are 0 to 13, the last of which is that of the next record
    exit 1: error: there is no topic `aksed`; `millrace topic list` shows those that are there
    exit 1: error: there is no partition 1: partitions are numbered from 0
    exit 1: error: nothing says what the app `nobody` reads: it never ran on this cluster, or was reset; name its inputs with --topic
    ");
    let mut process = kafka.start("pass.toml", "data");
    kafka.wait_for("asked-out", 13);
    let refused = offsets(&kafka, "asked --to-earliest --yes");
    assert!(refused.starts_with("exit 1: error: processes of `asked` are running: asked-"), "{refused}");
    assert_eq!(process.terminate().code(), Some(0));
    let shown = offsets(&kafka, "asked");
    let row: Vec<_> = shown.lines().last().unwrap_or_default().split_whitespace().collect();
    assert_eq!(row.get(2..6), Some(&["13", "0", "13", "0"][..]), "{shown}");
}

#[test]
fn an_offset_that_belongs_to_state_is_not_moved_and_after_a_reset_it_can_be() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("kept", "sums", ""));
    kafka.create("kept-in", 1);
    kafka.create("kept-out", 1);
    kafka.write("kept-in", (0, 10));
    kafka.run("count.toml", "data").good();
    let said = offsets(&kafka, "kept --to-offset 3 --yes");
    assert_snapshot!(said, @"exit 1: error: topic `kept-in`, partition 0: its offset belongs to the state that the app keeps: from an earlier one records would be in the state twice, from a later one some would be missing. Nothing was set. To process records again, start anew with `millrace reset kept --kafka BROKER`; after that, offsets can be set");
    assert!(offsets(&kafka, "kept").contains("  belongs to the state"), "{}", offsets(&kafka, "kept"));

    kafka.do_as_told(&said.replace("BROKER", &kafka.bootstrap));
    assert_snapshot!(offsets(&kafka, "kept --topic kept-in --to-offset 3 --yes"), @"
    To be set for the group `kept`:
    topic    partition  offset  new offset
    kept-in          0       -           3  none is committed
    Records before a new offset aren't processed; those from it on are, also where they have been before.
    set: `kept` goes on there when it is started
    ");
    kafka.run("count.toml", "data").good();
    assert_eq!(kafka.read("kept-out").len(), 17, "it begins with the record at offset 3, and with empty state");
}

//! State of another kind of step or of a renamed step, and changelogs that have lost records.

use crate::cluster::{count, on_kafka, refused};

#[test]
fn a_step_with_another_window_is_refused_and_a_renamed_step_is_warned_of() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("filled", "sums", "window = { tumbling = \"1m\" }"));
    for topic in ["filled-in", "filled-out"] {
        kafka.create(topic, 1);
    }
    kafka.write("filled-in", (0, 5));
    kafka.run("count.toml", "data").good();
    for window in ["sums.window={tumbling=\"5m\"}", "sums.window={session=\"1m\"}"] {
        let said = refused(kafka.run(&format!("count.toml --set {window}"), "data"));
        assert!(said.contains("step `sums`: there is state in its store `sums` of an aggregate by `counts`"), "{said}");
        assert!(said.contains("tumbling windows of 1m") && said.contains("`millrace reset filled "), "{said}");
    }
    kafka.run("count.toml", "data").good();

    kafka.place.write("renamed.toml", count("filled", "totals", "window = { tumbling = \"1m\" }"));
    let said = kafka.run("renamed.toml", "data");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let told = said.err.lines().find(|line| line.contains("no step uses this state")).unwrap_or_default();
    assert!(told.contains("sums"), "{}", said.err);

    let said = refused(kafka.run("count.toml --set sums.window={tumbling=\"5m\"}", "data"));
    kafka.do_as_told(&said);
    kafka.run("count.toml --set sums.window={tumbling=\"5m\"}", "data").good();
    assert_eq!(kafka.read("filled-out").len(), 10, "a reset begins anew");
}

#[test]
fn a_step_whose_input_has_grown_is_refused_under_any_name_and_the_advice_works() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("spread", "order-meta", ""));
    for topic in ["spread-in", "spread-out"] {
        kafka.create(topic, 1);
    }
    kafka.write("spread-in", (0, 5));
    kafka.run("count.toml", "data").good();
    kafka.grow("spread-in", 2);
    let said = refused(kafka.run("count.toml", "data"));
    assert!(
        said.contains("`spread-order-meta-changelog` has 1 partitions, and the pipeline's inputs make it 2"),
        "{said}"
    );
    assert_eq!(kafka.partitions("spread-meta-changelog"), 1, "a start that is refused changes nothing");
    kafka.do_as_told(&said);
    kafka.run("count.toml", "data").good();
    assert_eq!(kafka.read("spread-out").len(), 10, "a reset begins anew");
}

#[test]
fn a_changelog_whose_first_records_were_deleted_is_refused_where_the_state_lacks_them() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("cut", "sums", ""));
    for topic in ["cut-in", "cut-out"] {
        kafka.create(topic, 1);
    }
    kafka.write("cut-in", (0, 5));
    kafka.run("count.toml", "data").good();
    kafka.delete_records("cut-sums-changelog", 2);
    let said = refused(kafka.run("count.toml", "other"));
    assert!(said.contains("changelog `cut-sums-changelog`, partition 0: its first record is at offset 2"), "{said}");
    assert!(said.contains("`millrace reset cut --kafka "), "{said}");

    kafka.write("cut-in", (0, 5));
    kafka.run("count.toml", "data").good();
    let twos = kafka.read("cut-out").iter().filter(|record| record["value"]["records"] == 2).count();
    assert_eq!(twos, 5, "the folder that has the state goes on with all of it");
}

/// They move their start as time goes by, and have nothing in front of it that counts.
#[test]
fn a_changelog_of_windows_without_its_first_records_is_restored_from_the_others() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("aged", "sums", "window = { tumbling = \"1m\" }"));
    for topic in ["aged-in", "aged-out"] {
        kafka.create(topic, 1);
    }
    kafka.write("aged-in", (0, 5));
    kafka.run("count.toml", "data").good();
    kafka.delete_records("aged-sums-changelog", 2);
    kafka.write("aged-in", (0, 5));
    kafka.run("count.toml", "other").good();
    let twos = kafka.read("aged-out").iter().filter(|record| record["value"]["records"] == 2).count();
    assert!((1..5).contains(&twos), "some of five were deleted, and the others are counted on: {twos}");
}

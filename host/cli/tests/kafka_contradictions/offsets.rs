//! State without offsets, and offsets without state.

use crate::cluster::{OnKafka, count, on_kafka, pass, refused};

/// An app that has counted 20 records.
fn counted(app: &str) -> Option<OnKafka> {
    let kafka = on_kafka()?;
    kafka.place.write("count.toml", count(app, "sums", ""));
    kafka.create(&format!("{app}-in"), 2);
    kafka.create(&format!("{app}-out"), 1);
    kafka.write(&format!("{app}-in"), (0, 20));
    kafka.run("count.toml", "data").good();
    assert_eq!(kafka.read(&format!("{app}-out")).len(), 20);
    Some(kafka)
}

/// The highest number of records that was counted for a key.
fn most(kafka: &OnKafka, topic: &str) -> i64 {
    kafka.read(topic).iter().map(|record| record["value"]["records"].as_i64().unwrap()).max().unwrap()
}

#[test]
fn state_without_committed_offsets_is_refused_and_the_advice_works() {
    let Some(kafka) = counted("gone") else { return };
    kafka.delete_group("gone");
    for folder in ["data", "new"] {
        let said = refused(kafka.run("count.toml", folder));
        assert!(said.contains("topic `gone-in`, partition "), "{said}");
        assert!(said.contains("the group `gone` has no committed offset, and it had one"), "{said}");
        let set = format!("`millrace offsets gone --kafka {} --topic gone-in --partition ", kafka.bootstrap);
        assert!(said.contains("`millrace reset gone ") && said.contains(&set), "{said}");
    }
    assert_eq!(kafka.read("gone-out").len(), 20, "nothing was counted again");

    // It names one partition after the other.
    for _ in 0..2 {
        kafka.set_as_told(&refused(kafka.run("count.toml", "data")), "--to-latest").good();
    }
    kafka.write("gone-in", (0, 3));
    kafka.run("count.toml", "data").good();
    assert_eq!((kafka.read("gone-out").len(), most(&kafka, "gone-out")), (23, 2), "it goes on where it was told to");

    kafka.delete_group("gone");
    kafka.do_as_told(&refused(kafka.run("count.toml", "data")));
    kafka.run("count.toml", "data").good();
    assert_eq!((kafka.read("gone-out").len(), most(&kafka, "gone-out")), (46, 2), "a reset begins anew");
}

#[test]
fn an_app_without_state_does_not_start_from_the_beginning_when_its_offsets_are_gone() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("pass.toml", pass("passed", "passed-in", "passed-out"));
    kafka.create("passed-in", 1);
    kafka.create("passed-out", 1);
    kafka.write("passed-in", (0, 10));
    kafka.run("pass.toml", "data").good();
    kafka.delete_group("passed");
    let said = refused(kafka.run("pass.toml", "data"));
    assert!(said.contains("the group `passed` has no committed offset, and it had one"), "{said}");
    assert_eq!(kafka.read("passed-out").len(), 10);
}

#[test]
fn committed_offsets_without_their_state_are_refused() {
    let Some(kafka) = counted("behind") else { return };
    kafka.delete(&["behind-sums-changelog"]);
    let said = refused(kafka.run("count.toml", "data"));
    assert!(said.contains("the internal topic `behind-sums-changelog` has been deleted"), "{said}");
    assert!(said.contains("`millrace reset behind "), "{said}");

    let internal = kafka.topics("behind-");
    let internal: Vec<_> = internal.iter().map(String::as_str).filter(|name| !name.ends_with("-in")).collect();
    kafka.delete(&internal.into_iter().filter(|name| !name.ends_with("-out")).collect::<Vec<_>>());
    let said = refused(kafka.run("count.toml", "new"));
    assert!(said.contains("the internal topics of `behind` were deleted after that commit"), "{said}");

    kafka.do_as_told(&said);
    kafka.run("count.toml", "data").good();
    assert_eq!(most(&kafka, "behind-out"), 1, "a reset begins anew, also where a folder is left");
}

#[test]
fn new_inputs_steps_and_partitions_without_records_are_no_contradiction() {
    let Some(kafka) = counted("more") else { return };
    // A partition that never had a record, a new input of the same task, and a new step with one of its own.
    let steps = "[[source]]\nname = \"also\"\ntopic = \"more-also\"\nkey = \"i64\"\n[[merge]]\nname = \"all\"\n\
                 from = [\"in\", \"also\"]\n[[aggregate]]\nname = \"both\"\nfrom = \"all\"\ncall = \"operators.counts\"\n[[sink]]\nfrom = \"both\"\ntopic = \"more-both\"\n\
                 [[source]]\nname = \"idle\"\ntopic = \"more-idle\"\nkey = \"i64\"\n[[table]]\nname = \"rows\"\n\
                 from = \"idle\"\n";
    kafka.place.write("more.toml", count("more", "sums", "") + steps);
    for topic in ["more-also", "more-both"] {
        kafka.create(topic, 2);
    }
    kafka.create("more-idle", 1);
    kafka.write("more-also", (0, 5));
    for _ in 0..2 {
        kafka.run("more.toml", "data").good();
    }
    assert_eq!((kafka.read("more-out").len(), kafka.read("more-both").len()), (20, 5));
    std::fs::remove_dir_all(kafka.place.path("data")).unwrap();
    kafka.run("more.toml", "data").good();
    assert_eq!((kafka.read("more-out").len(), kafka.read("more-both").len()), (20, 5));
}

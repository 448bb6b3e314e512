//! Internal topics that no step uses any more, and their deletion.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use crate::cluster::{OnKafka, on_kafka, refused};
use crate::support::{Running, Said};

/// A pipeline that counts the records of `<app>-in` by their last two digits, with steps of these names: the first has
/// a repartition topic, and the second a changelog.
fn grouped(app: &str, group: &str, sums: &str) -> String {
    format!(
        "app = \"{app}\"\n[plugins.operators]\ncomponent = \"operators.wasm\"\n[[source]]\nname = \"in\"\n\
         topic = \"{app}-in\"\nkey = \"i64\"\n[[transform]]\nname = \"{group}\"\nfrom = \"in\"\n\
         call = \"operators.by_group\"\n[[aggregate]]\nname = \"{sums}\"\nfrom = \"{group}\"\n\
         call = \"operators.counts\"\n[[sink]]\nfrom = \"{sums}\"\ntopic = \"{app}-out\"\n"
    )
}

/// An app with some input and a pipeline, `old.toml`, which has other names of its steps in `new.toml`.
fn prepared(app: &str) -> Option<OnKafka> {
    let kafka = on_kafka()?;
    kafka.place.write("old.toml", grouped(app, "group", "sums"));
    kafka.place.write("new.toml", grouped(app, "bucket", "totals"));
    for topic in ["in", "out"] {
        kafka.create(&format!("{app}-{topic}"), 2);
    }
    kafka.write(&format!("{app}-in"), (0, 20));
    Some(kafka)
}

/// Such an app, which has run with the old names, and then with the new ones.
fn renamed(app: &str) -> Option<OnKafka> {
    let kafka = prepared(app)?;
    kafka.run("old.toml", "data").good();
    kafka.run_again(app, "new.toml", "data");
    Some(kafka)
}

/// The text without the numbers of records in changelogs: markers of transactions count, too.
fn without_counts(said: &str) -> String {
    let mut parts = said.split("at most ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "at most N" + part.trim_start_matches(|one: char| one.is_ascii_digit()))
}

impl OnKafka {
    fn gc(&self, words: &str) -> Said {
        self.millrace(&format!("topics gc {words}"))
    }

    /// Names of the app's topics, but for those that the others use too.
    fn internal(&self, app: &str) -> Vec<String> {
        let mut topics = self.topics(&format!("{app}-"));
        topics.retain(|name| !name.ends_with("-in") && !name.ends_with("-out") && !name.ends_with("-control"));
        topics.sort();
        topics
    }

    /// How many results of the app have each count.
    fn counts(&self, app: &str) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        for result in self.read(&format!("{app}-out")) {
            *counts.entry(result["value"]["records"].as_u64().unwrap()).or_default() += 1;
        }
        counts
    }

    /// Writes each key again, and runs a pipeline.
    fn run_again(&self, app: &str, file: &str, data: &str) {
        self.write(&format!("{app}-in"), (0, 20));
        self.run(file, data).good();
    }
}

#[test]
fn topics_of_a_renamed_step_are_deleted_after_asking_and_the_app_goes_on() {
    let Some(kafka) = renamed("left") else { return };
    let all = kafka.internal("left");
    let said = kafka.millrace("check new.toml").good();
    assert!(
        said.contains("no step uses the state in `sums`")
            && said.contains("to delete the state, run `millrace topics gc`"),
        "{said}"
    );
    let said = kafka.gc("new.toml").bad();
    assert_snapshot!(without_counts(&said), @"
    exit 1: error: there is no terminal to ask on: say --yes; nothing was deleted
    standard output: To be deleted:
      `left-group-repartition`: repartition topic; all of its records are processed
      `left-sums-changelog`: changelog of the store `sums` of step `sums`, an aggregate by `counts` without windows; at most N records
    ");
    assert_eq!(kafka.internal("left"), all);

    assert_snapshot!(without_counts(&kafka.gc("new.toml --yes").good()), @"
    To be deleted:
      `left-group-repartition`: repartition topic; all of its records are processed
      `left-sums-changelog`: changelog of the store `sums` of step `sums`, an aggregate by `counts` without windows; at most N records
    deleted: 2 topics
    ");
    let own = ["left-bucket-repartition", "left-dlq", "left-meta-changelog", "left-totals-changelog"];
    assert_eq!(kafka.internal("left"), own);
    let said = kafka.gc("new.toml").good();
    assert_eq!(said, "nothing to delete: the app `left` has no orphaned topics\n");
    assert_eq!(kafka.millrace("check new.toml").good(), "step `totals` keeps its state in `totals`\n");

    assert_eq!(kafka.counts("left"), BTreeMap::from([(1, 40)]), "the renamed step has begun with empty state");
    kafka.run_again("left", "new.toml", "data");
    kafka.run_again("left", "new.toml", "other");
    assert_eq!(kafka.counts("left"), BTreeMap::from([(1, 40), (2, 20), (3, 20)]), "its state is there");
}

#[test]
fn a_step_whose_topics_were_deleted_gets_its_old_name_back_and_begins_with_empty_state() {
    let Some(kafka) = renamed("back") else { return };
    kafka.gc("new.toml --yes").good();
    kafka.run_again("back", "old.toml", "data");
    kafka.run_again("back", "old.toml", "data");
    assert_eq!(kafka.counts("back"), BTreeMap::from([(1, 60), (2, 20)]));
}

#[test]
fn topics_are_not_deleted_while_the_app_runs_or_for_another_pipeline_than_the_last() {
    let Some(kafka) = renamed("busy") else { return };
    let all = kafka.internal("busy");
    let mut process = kafka.start("new.toml", "data");
    process.logged("running");
    let said = refused(kafka.gc("new.toml --yes"));
    assert!(said.contains("processes of `busy` are running: busy-"), "{said}");
    assert_eq!(process.terminate().code(), Some(0));

    kafka.place.write("next.toml", grouped("busy", "bucket", "numbers"));
    for file in ["old.toml", "next.toml"] {
        let said = refused(kafka.gc(&format!("{file} --yes")));
        assert!(
            said.contains("it ran last with another pipeline") && said.contains("start it with these files"),
            "{said}"
        );
    }
    assert_eq!(kafka.internal("busy"), all);
}

#[test]
fn records_that_no_task_has_processed_are_deleted_only_if_it_is_said() {
    let Some(kafka) = renamed("unread") else { return };
    let all = kafka.internal("unread");
    kafka.write("unread-group-repartition", (0, 3));
    let said = kafka.gc("new.toml --yes").bad();
    assert_snapshot!(without_counts(&said), @"
    exit 1: error: `unread-group-repartition` has records that no task has processed (3): nothing was deleted. To process them, run the pipeline that reads them with --until-idle, and then this one again; to lose them, say --drop-unprocessed
    standard output: To be deleted:
      `unread-group-repartition`: repartition topic; no task has processed 3 records in it
      `unread-sums-changelog`: changelog of the store `sums` of step `sums`, an aggregate by `counts` without windows; at most N records
    ");
    assert_eq!(kafka.internal("unread"), all);

    let said = kafka.gc("new.toml --yes --drop-unprocessed").good();
    assert!(said.ends_with("deleted: 2 topics; unprocessed records in them: 3\n"), "{said}");
    assert_eq!(kafka.internal("unread").len(), all.len() - 2);
}

#[test]
fn the_old_pipeline_processes_what_a_killed_process_has_left_and_then_its_topics_can_be_deleted() {
    let Some(kafka) = prepared("killed") else { return };
    let words = format!("run old.toml --data data --kafka {}", kafka.bootstrap);
    let mut command = kafka.place.command(&words);
    // What its first commit has written to the repartition topic is read after it.
    command.env("MILLRACE_FAULT", "stored:1");
    assert_eq!(Running::start(command).wait().code(), None, "it dies after its first commit");
    kafka.run("new.toml", "data").good();
    let said = kafka.gc("new.toml --yes").bad();
    assert!(said.contains("`killed-group-repartition` has records that no task has processed"), "{said}");

    kafka.run("old.toml", "data").good();
    kafka.run("new.toml", "data").good();
    kafka.gc("new.toml --yes").good();
    let results: usize = kafka.counts("killed").values().sum();
    assert_eq!(results, 20, "each record has one result");
}

#[test]
fn a_run_that_no_step_would_go_on_with_keeps_all_topics() {
    let Some(kafka) = renamed("resting") else { return };
    let all = kafka.internal("resting");
    // As a process of the old pipeline leaves it that stops while the new one runs.
    let line = r#"{"key":"rest/resting-group-repartition/00000000","value":"a part"}"#;
    let words = format!("topic write resting-meta-changelog --key string --kafka {}", kafka.bootstrap);
    kafka.place.millrace_with(&words, line).good();
    let said = refused(kafka.gc("new.toml --yes --drop-unprocessed"));
    assert!(said.contains("over the topic `resting-group-repartition`"), "{said}");
    assert_eq!(kafka.internal("resting"), all);
}

#[test]
fn a_topic_that_was_made_anew_is_named_and_stays() {
    let Some(kafka) = renamed("anew") else { return };
    kafka.make_anew("anew-sums-changelog");
    assert_snapshot!(kafka.gc("new.toml --yes").good(), @"
    To stay: topic `anew-sums-changelog` isn't the one that the app has made: that one was deleted, and this one made since
    To be deleted:
      `anew-group-repartition`: repartition topic; all of its records are processed
    deleted: 1 topic
    ");
    let said = kafka.gc("new.toml").good();
    assert_eq!(said, "nothing to delete: the app `anew` has no orphaned topics\n");
    assert!(kafka.internal("anew").contains(&"anew-sums-changelog".to_owned()));
}

#[test]
fn a_deletion_that_was_cut_off_is_finished_by_the_next_one_or_by_the_next_start() {
    for (app, file) in [("cutoff", "old.toml"), ("cutstart", "new.toml")] {
        let Some(kafka) = renamed(app) else { return };
        let mut command = kafka.place.command(&format!("topics gc new.toml --yes --kafka {}", kafka.bootstrap));
        command.env("MILLRACE_FAULT", "topics-deleted:1");
        assert_eq!(Running::start(command).wait().code(), None, "it dies between the topics and their notes");
        if file == "old.toml" {
            let said = refused(kafka.run(file, "data"));
            assert!(said.contains("has been deleted"), "the notes are still there: {said}");
            let said = kafka.gc("new.toml").good();
            assert_eq!(said, "nothing to delete: the app `cutoff` has no orphaned topics\n");
        } else {
            kafka.run_again(app, file, "data");
        }
        kafka.run_again(app, "old.toml", "data");
        let counts = kafka.counts(app);
        assert_eq!(counts.get(&1), Some(&60), "the old step begins with empty state: {counts:?}");
    }
}

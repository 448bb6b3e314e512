//! Two apps with one name, or with the same internal topics.

use crate::cluster::{count, on_kafka, pass, refused};

#[test]
fn another_pipeline_under_the_name_of_a_running_app_is_refused_and_the_app_goes_on() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("twice", "sums", ""));
    kafka.place.write("pass.toml", pass("twice", "clicks", "pages"));
    for topic in ["twice-in", "twice-out", "clicks", "pages"] {
        kafka.create(topic, 1);
    }
    kafka.write("twice-in", (0, 10));
    let mut process = kafka.start("count.toml", "data");
    kafka.wait_for("twice-out", 10);
    let said = refused(kafka.run("pass.toml", "other"));
    assert!(said.contains("another pipeline runs as the app `twice`, or ran last: it reads `twice-in`"), "{said}");
    assert!(said.contains("this one reads `clicks` and writes `pages`"), "{said}");
    kafka.write("twice-in", (10, 20));
    kafka.wait_for("twice-out", 20);
    assert_eq!(process.terminate().code(), Some(0));

    kafka.write("clicks", (0, 3));
    kafka.do_as_told(&said);
    kafka.run("pass.toml", "other").good();
    assert_eq!(kafka.read("pages").len(), 3, "the other one has taken its place");
}

#[test]
fn an_internal_topic_that_two_apps_would_share_is_refused() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("one.toml", count("share-a", "b-c", ""));
    kafka.place.write("two.toml", count("share-a-b", "c", ""));
    for topic in ["share-a-in", "share-a-out", "share-a-b-in", "share-a-b-out"] {
        kafka.create(topic, 1);
    }
    kafka.run("one.toml", "one").good();
    let said = refused(kafka.run("two.toml", "two"));
    assert!(
        said.contains(
            "the internal topic `share-a-b-c-changelog` of the app `share-a-b` is one of the app `share-a` too"
        ),
        "{said}"
    );
}

#[test]
fn internal_topics_that_exist_are_used_if_they_are_empty() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("before", "sums", ""));
    for topic in ["before-in", "before-out"] {
        kafka.create(topic, 1);
    }
    let settings = "--partitions 1 --config cleanup.policy=compact --config max.message.bytes=83886080";
    kafka.millrace(&format!("topic create before-sums-changelog {settings}")).good();
    kafka.write("before-in", (0, 10));
    kafka.run("count.toml", "data").good();
    assert_eq!(kafka.read("before-out").len(), 10);
}

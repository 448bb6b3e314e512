//! Topics that are recreated, or grow.

use crate::cluster::{count, named, on_kafka, pass, refused};

#[test]
fn an_input_that_was_recreated_while_the_app_was_down_is_refused_until_its_offsets_are_set() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("count.toml", count("anewdown", "sums", ""));
    kafka.create("anewdown-in", 1);
    kafka.create("anewdown-out", 1);
    kafka.write("anewdown-in", (0, 20));
    kafka.run("count.toml", "data").good();
    kafka.make_anew("anewdown-in");
    kafka.write("anewdown-in", (0, 30));
    let said = refused(kafka.run("count.toml", "data"));
    assert!(said.contains("topic `anewdown-in`, partition 0: the topic was deleted and made anew"), "{said}");
    assert!(said.contains("`millrace reset anewdown ") && said.contains("--to-earliest"), "{said}");
    assert_eq!(kafka.read("anewdown-out").len(), 20, "nothing of the new topic was counted");

    kafka.set_as_told(&said, "--to-earliest").good();
    for _ in 0..2 {
        kafka.run("count.toml", "data").good();
        assert_eq!(kafka.read("anewdown-out").len(), 50, "all of the new topic is counted, once");
    }

    kafka.make_anew("anewdown-in");
    kafka.write("anewdown-in", (0, 10));
    kafka.do_as_told(&refused(kafka.run("count.toml", "data")));
    kafka.run("count.toml", "data").good();
    assert_eq!(kafka.read("anewdown-out").len(), 60, "a reset begins anew");
}

#[test]
fn an_input_that_is_recreated_while_it_is_read_is_never_read_from_the_middle() {
    let Some(kafka) = on_kafka() else { return };
    for (app, before, after) in [("anewmore", 500, 1_200), ("anewless", 500, 20)] {
        kafka.place.write("pass.toml", pass(app, &format!("{app}-in"), &format!("{app}-out")));
        let (input, output) = (format!("{app}-in"), format!("{app}-out"));
        kafka.create(&input, 1);
        kafka.create(&output, 1);
        kafka.write(&input, (0, before));
        let mut process = kafka.start("pass.toml", app);
        kafka.wait_for(&output, before as usize);
        kafka.make_anew(&input);
        kafka.write(&input, (before, before + after));
        let said = process.ended_with(1);
        assert!(said.contains(&format!("topic `{input}`, partition 0: the topic was deleted and made anew")), "{said}");
        assert_eq!(kafka.read(&output).len(), before as usize, "nothing of the new topic of {after} records");
        let said = refused(kafka.run("pass.toml", app));
        assert!(said.contains("the topic was deleted and made anew"), "{said}");
    }
}

#[test]
fn a_process_ends_when_the_topic_of_a_global_table_grows_and_has_all_rows_after_the_next_start() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("named.toml", named("grown"));
    for topic in ["grown-in", "grown-names", "grown-out"] {
        kafka.create(topic, 1);
    }
    kafka.write("grown-names", (0, 1));
    kafka.write("grown-in", (0, 1));
    let mut process = kafka.start("named.toml", "data");
    kafka.wait_for("grown-out", 1);
    kafka.grow("grown-names", 4);
    let said = process.ended_with(75);
    assert!(said.contains("topic `grown-names` of the global table `names` has 4 partitions"), "{said}");
    assert!(said.contains("Start the app again"), "{said}");

    kafka.write("grown-names", (1, 20));
    kafka.write("grown-in", (1, 20));
    kafka.run("named.toml", "data").good();
    let found = kafka.read("grown-out").iter().filter(|record| record["value"]["paired"] == true).count();
    assert_eq!(found, 20, "rows of all partitions are found");
}

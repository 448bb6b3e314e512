//! State that another kind of step, or a step under another name, has left.

use crate::cluster::{count, on_kafka, refused};

#[test]
fn another_window_is_refused_and_a_renamed_step_is_told_of() {
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
    let told = said.err.lines().find(|line| line.contains("there is state that no step uses")).unwrap_or_default();
    assert!(told.contains("sums"), "{}", said.err);

    let said = refused(kafka.run("count.toml --set sums.window={tumbling=\"5m\"}", "data"));
    kafka.do_as_told(&said);
    kafka.run("count.toml --set sums.window={tumbling=\"5m\"}", "data").good();
    assert_eq!(kafka.read("filled-out").len(), 10, "a reset begins anew");
}

#[test]
fn a_step_whose_input_has_grown_is_refused_whatever_it_is_called_and_the_way_out_works() {
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
    kafka.do_as_told(&said);
    kafka.run("count.toml", "data").good();
    assert_eq!(kafka.read("spread-out").len(), 10, "a reset begins anew");
}

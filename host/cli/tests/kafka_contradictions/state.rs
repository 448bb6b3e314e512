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
        assert!(said.contains("tumbling windows of 1m") && said.contains("`millrace reset filled`"), "{said}");
    }
    kafka.run("count.toml", "data").good();

    kafka.place.write("renamed.toml", count("filled", "totals", "window = { tumbling = \"1m\" }"));
    let said = kafka.run("renamed.toml", "data");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let told = said.err.lines().find(|line| line.contains("there is state that no step uses")).unwrap_or_default();
    assert!(told.contains("sums"), "{}", said.err);
}

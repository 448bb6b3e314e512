//! Topics and groups that the app may no longer use or describe.

use millrace_broker::{Cluster, Operation, Options};

use crate::harness::{Plain, allow, allow_group, own_broker, shared_broker, until};

/// Two independent tasks in one worker.
const TWO_INPUTS: &str = r#"
app = "APP"
[kafka]
"session.timeout.ms" = 2000
"heartbeat.interval.ms" = 400
[[source]]
name = "a"
topic = "APP-a"
key = "string"
[[source]]
name = "b"
topic = "APP-b"
key = "string"
[[sink]]
from = "a"
topic = "APP-out-a"
[[sink]]
from = "b"
topic = "APP-out-b"
"#;

const TOPICS: [(&str, i32); 4] = [("a", 1), ("b", 1), ("out-a", 1), ("out-b", 1)];

fn with_acls() -> Option<Cluster> {
    own_broker(Options { acls: true, ..crate::harness::options() })
}

/// Writes to both inputs, and waits for this many results of the given one.
fn comes_out(app: &Plain, inputs: &[&str], values: std::ops::Range<i64>, outputs: &[(&str, i64)]) {
    for input in inputs {
        app.write(input, 0, values.clone());
    }
    for (output, count) in outputs {
        app.wait_for(output, |found| found.len() as i64 == *count);
    }
}

/// Without the permission to read, the app may not describe the topic either.
#[test]
fn an_input_that_may_no_longer_be_described_is_named_and_does_not_block_others_over_a_rebalance() {
    let Some(mut cluster) = with_acls() else { return };
    let app = Plain::new(&cluster.bootstrap(), "hidden", TWO_INPUTS, &TOPICS);
    let mut process = app.start("data");
    process.wait_until_running();
    let other = app.start("other");
    app.wait_for_members(2);
    comes_out(&app, &["a", "b"], 0..20, &[("out-a", 20), ("out-b", 20)]);

    app.write("b", 0, 20..40);
    app.wait_for("out-b", |found| found.len() == 40);
    let hidden = app.topic("b");
    cluster.forbid(&hidden, Operation::Read).unwrap();
    cluster.forbid(&hidden, Operation::Describe).unwrap();
    other.stop();
    process.wait_until_it_says("an input can't be read, and is looked for again");
    assert!(process.says("allow the app to use the topic"), "{:?}", process.entries());
    comes_out(&app, &["a"], 20..40, &[("out-a", 40)]);
    assert!(process.is_alive());

    allow(&cluster.bootstrap(), &hidden);
    until("it can be seen again", || app.kafka.ends(&hidden, 1).is_ok());
    comes_out(&app, &["a", "b"], 40..60, &[("out-a", 60), ("out-b", 60)]);
    process.stop();
    for output in ["out-a", "out-b"] {
        assert!(app.all_results(output).values().all(|times| *times == 1));
    }
}

/// The member notices the deletion itself, and rejoins without the topic.
#[test]
fn a_deleted_input_stays_named_when_no_member_is_assigned_it_any_more() {
    let Some(broker) = shared_broker() else { return };
    let soon = "[kafka]\n\"topic.metadata.refresh.interval.ms\" = 1000";
    let app = Plain::new(&broker, "inputgone", &TWO_INPUTS.replace("[kafka]", soon), &TOPICS);
    let mut process = app.start("data");
    process.wait_until_running();
    comes_out(&app, &["a", "b"], 0..20, &[("out-a", 20), ("out-b", 20)]);
    app.kafka.delete(&app.topic("b"));
    process.wait_until_it_says("an input can't be read, and is looked for again");
    let said = process.logged("an input can't be read, and is looked for again: others go on");
    assert_eq!(said[0]["topic"], app.topic("b"), "{said:?}");
    comes_out(&app, &["a"], 20..40, &[("out-a", 40)]);
    process.stop();
}

/// One task has its state in the changelog only.
#[test]
fn a_changelog_that_may_not_be_read_is_named_and_does_not_block_other_tasks() {
    let Some(mut cluster) = with_acls() else { return };
    let once =
        "[[dedup]]\nname = \"once\"\nfrom = \"b\"\nwithin = \"1h\"\nby = [\"field:id\"]\n[[sink]]\nfrom = \"once\"";
    let pipeline = TWO_INPUTS.replace("[[sink]]\nfrom = \"b\"", once);
    let app = Plain::new(&cluster.bootstrap(), "unrestored", &pipeline, &TOPICS);
    let mut process = app.start("before");
    process.wait_until_running();
    comes_out(&app, &["a", "b"], 0..20, &[("out-a", 20), ("out-b", 20)]);
    process.stop();

    let changelog = app.topic("once-changelog");
    cluster.forbid(&changelog, Operation::Read).unwrap();
    let mut process = app.start("data");
    comes_out(&app, &["a", "b"], 20..40, &[("out-a", 40)]);
    process.wait_until_it_says("the changelog can't be read");
    process.wait_until_it_says("allow the app to use the topic");
    assert!(process.is_alive());
    allow(&cluster.bootstrap(), &changelog);
    comes_out(&app, &["b"], 0..60, &[("out-b", 60)]);
    process.stop();
    assert!(app.all_results("out-b").values().all(|times| *times == 1), "it knows what there was before");
}

#[test]
fn a_group_that_the_app_may_not_join_is_named_until_it_may() {
    let Some(mut cluster) = with_acls() else { return };
    let app = Plain::new(&cluster.bootstrap(), "outside", TWO_INPUTS, &TOPICS);
    cluster.forbid_group(&app.name, Operation::Read).unwrap();
    let mut process = app.start("data");
    process.wait_until_it_says("allow the app its group (read)");
    allow_group(&cluster.bootstrap(), &app.name);
    process.wait_until_running();
    comes_out(&app, &["a", "b"], 0..20, &[("out-a", 20), ("out-b", 20)]);
    process.stop();
}

/// Only another setting helps.
#[test]
fn a_process_whose_session_timeout_the_broker_does_not_allow_ends_and_says_why() {
    let Some(broker) = shared_broker() else { return };
    let short = TWO_INPUTS
        .replace("= 2000", "= 400")
        .replace("= 400\n\"heartbeat.interval.ms\" = 400", "= 400\n\"heartbeat.interval.ms\" = 100");
    let app = Plain::new(&broker, "tooshort", &short, &TOPICS);
    let mut process = app.start("data");
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.says("`session.timeout.ms`"), "{:?}", process.entries());
}

//! Internal topics that an administrator has created, on a cluster with access rules.

use millrace_broker::{Operation, Options};
use serde_json::json;

use crate::harness::{Kafka, Process, options, own_broker};
use crate::support::Place;

/// A pipeline with a changelog, and without a plugin.
fn rows(app: &str) -> String {
    format!(
        "app = \"{app}\"\n[[table]]\nname = \"rows\"\ntopic = \"{app}-in\"\nkey = \"string\"\n[[sink]]\n\
         from = \"rows\"\ntopic = \"{app}-out\"\n"
    )
}

#[test]
fn an_app_starts_although_it_may_not_see_the_control_topic_of_an_app_with_a_similar_name() {
    let Some(mut cluster) = own_broker(Options { acls: true, ..options() }) else { return };
    let broker = cluster.bootstrap();
    // Topics of `shop-orders` could belong to an app `shop`. With rules by prefix the process may not see the control
    // topic of `shop`, and the broker doesn't say that there is none.
    cluster.forbid("shop-control", Operation::Describe).unwrap();
    let place = Place::new();
    for (app, is_empty) in [("shop-orders", true), ("shop-returns", false)] {
        let kafka = Kafka::new(&broker, app);
        place.write("rows.toml", rows(app));
        let changelog = format!("{app}-rows-changelog");
        for topic in ["in", "out"] {
            kafka.create(&format!("{app}-{topic}"), 1, &[]);
        }
        kafka.create(&changelog, 1, &[("cleanup.policy", "compact")]);
        let line = |topic: &str| format!("{}\n", json!({"topic": topic, "key": "a", "value": 1, "timestamp": 1_000}));
        let mut written = line(&format!("{app}-in"));
        if !is_empty {
            written += &line(&changelog);
        }
        place.millrace_with(&format!("topic write --key string --kafka {broker}"), &written).good();
        let said = place.millrace(&format!("run rows.toml --data {app} --kafka {broker} --until-idle"));
        if is_empty {
            said.good();
            assert_eq!(kafka.read(&format!("{app}-out")).into_iter().flatten().count(), 1);
        } else {
            let expected = format!("the internal topic `{changelog}` has records, and the app `{app}` hasn't made it");
            assert!(said.code == Some(1) && said.err.contains(&expected), "{said:?}");
        }
    }
}

#[test]
fn an_app_accepts_a_topic_whose_settings_it_may_not_see_and_warns_of_the_ones_it_needs() {
    let Some(mut cluster) = own_broker(Options { acls: true, ..options() }) else { return };
    let broker = cluster.bootstrap();
    let kafka = Kafka::new(&broker, "unseen");
    let place = Place::new();
    place.write("rows.toml", rows("unseen"));
    for topic in ["unseen-in", "unseen-out"] {
        kafka.create(topic, 1, &[]);
    }
    // Its entries would be deleted after a week.
    kafka.create("unseen-rows-changelog", 1, &[("cleanup.policy", "delete")]);
    cluster.forbid("unseen-rows-changelog", Operation::DescribeConfigs).unwrap();
    let run = format!("run rows.toml --data data --kafka {broker} --until-idle");
    let mut process = Process::start(place.command(&run), &place.path("log"));
    assert_eq!(process.wait().code(), Some(0), "{:?}", process.entries());
    let entries = process.entries();
    let warned: Vec<_> = entries.iter().filter(|entry| entry["must_have"].is_string()).collect();
    assert_eq!(warned.len(), 1, "{entries:?}");
    assert_eq!(warned[0]["topic"], "unseen-rows-changelog");
    assert_eq!(warned[0]["must_have"], "cleanup.policy=compact delete.retention.ms=86400000");
}

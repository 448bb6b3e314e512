//! Internal topics that an administrator has made beforehand, on a cluster with rules.

use millrace_broker::{Operation, Options};
use serde_json::json;

use crate::harness::{Kafka, options, own_broker};
use crate::support::Place;

/// A pipeline with a changelog, and without a plugin.
fn rows(app: &str) -> String {
    format!(
        "app = \"{app}\"\n[[table]]\nname = \"rows\"\ntopic = \"{app}-in\"\nkey = \"string\"\n[[sink]]\n\
         from = \"rows\"\ntopic = \"{app}-out\"\n"
    )
}

#[test]
fn an_app_starts_although_it_may_not_see_that_of_which_its_topics_could_be_too() {
    let Some(mut cluster) = own_broker(Options { acls: true, ..options() }) else { return };
    let broker = cluster.bootstrap();
    // Topics of `shop-orders` could be those of an app `shop`; rules by prefix don't let it see that one's control topic,
    // and a broker doesn't say that there is none.
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
        let written = line(&format!("{app}-in")) + if is_empty { "" } else { &line(&changelog) };
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

//! Shadows beside a running app: their results are compared and thrown away.

use serde_json::Value;

use crate::support::{Place, until};
use crate::{place, process, read, start, versions};

fn report(place: &Place, generation: u32) -> Value {
    let shown = format!("deployments show swap.toml --data data --json --generation {generation}");
    serde_json::from_str::<Value>(&place.millrace(&shown).good()).unwrap()["report"].take()
}

/// The results of each topic, in the order of keys; those of a key in their order.
fn results(place: &Place) -> Vec<Vec<String>> {
    let of = |topic: &str| {
        let mut lines: Vec<_> =
            read(place, topic).into_iter().map(|it| (it["key"].to_string(), it["value"].to_string())).collect();
        lines.sort_by(|one, other| one.0.cmp(&other.0));
        lines.into_iter().map(|(key, value)| format!("{key} {value}")).collect()
    };
    ["tagged", "counts", "changes"].map(of).to_vec()
}

#[test]
fn the_report_of_a_shadow_has_all_differences_and_its_results_go_nowhere() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..10);
    let shadow =
        "deploy swap.toml --plugin swap=swap.wasm --config odd=[13,17] --data data --yes --wait --shadow --budget 100%";
    let said = place.millrace(shadow).good();
    assert!(said.contains("on trial: `swap` generation 2 as a shadow; every process of the app runs it\n"), "{said}");
    process(&place, 10..40);
    until("the report is written", || report(&place, 2)["compared"] == 120);
    let report = report(&place, 2);
    assert_eq!((&report["equal"], &report["unfinished"], &report["leftOut"]), (&118.into(), &0.into(), &0.into()));
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(
        (&groups[0]["function"], &groups[0]["class"], &groups[0]["place"]),
        (&"swap.tag".into(), &"value".into(), &"/amount".into())
    );
    let samples = groups[0]["samples"].as_array().unwrap();
    assert_eq!((&samples[0]["old"], &samples[0]["new"], &samples[0]["key"]), (&"6".into(), &"-1".into(), &"k2".into()));
    assert!(read(&place, "tagged").iter().all(|line| line["value"]["amount"] != -1));

    let said = place.millrace("deployments promote swap.toml --data data --wait").good();
    assert_eq!(said, "active: `swap` generation 2; every process of the app runs it\n");
    process(&place, 40..45);
    assert_eq!(versions(&place).len(), 45);
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn a_shadow_has_other_state_versions_and_a_share_of_the_keys() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..10);
    let shadow = "deploy swap.toml --plugin swap=swap_next.wasm --data data --yes --wait --shadow --share 50% --budget 100% \
                  --ignore value:/by";
    place.millrace(shadow).good();
    process(&place, 10..120);
    until("the report is written", || report(&place, 2)["compared"].as_u64().unwrap_or(0) > 0);
    let report = report(&place, 2);
    let compared = report["compared"].as_u64().unwrap();
    assert!(compared > 0 && compared < 440, "{report}");
    assert_eq!(report["equal"], compared, "{report}");
    assert!(report["ignored"].as_u64().unwrap() > 0);
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn whatever_a_shadow_does_the_results_are_those_without_it() {
    let calm = place();
    let mut run = start(&calm, "");
    process(&calm, 0..300);
    assert_eq!(run.terminate().code(), Some(0));
    let expected = results(&calm);
    for harm in ["loop", "trap", "allocate", "write"] {
        let place = place();
        let mut run = start(&place, "");
        process(&place, 0..10);
        let shadow =
            format!("deploy swap.toml --plugin swap=swap.wasm --config harm={harm} --data data --yes --wait --shadow");
        place.millrace(&shadow).good();
        process(&place, 10..300);
        until("the report is written", || !report(&place, 2).is_null());
        assert_eq!(run.terminate().code(), Some(0));
        assert_eq!(results(&place), expected, "{harm}");
        let report = report(&place, 2);
        let of = |what: &str| report[what].as_u64().unwrap();
        assert!(of("unfinished") + of("leftOut") + of("compared") - of("equal") > 0, "{harm}: {report}");
    }
}

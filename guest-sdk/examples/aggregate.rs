//! An aggregate over sessions: a state for each key and session. A record between two sessions makes them one.
//!
//! ```text
//! [[aggregate]]
//! name = "visits"
//! from = "events"
//! window = { session = "30m" }
//! grace = "5m"
//! call = "activity.activity"
//! ```
//!
//! The same aggregate works over all other windows and without windows.

use std::collections::BTreeMap;

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Group, Mode, Record};

/// Counts the activities of customers, by type.
struct Activity;

#[aggregate]
impl Aggregate for Activity {
    type Key = String;
    type Input = Doc;
    type State = Counts;
    type Output = Counts;

    fn init(_customer: &String) -> Counts {
        Counts::default()
    }

    fn add(counts: &mut Counts, _customer: &String, event: Doc, _ctx: &Ctx) -> Result<()> {
        *counts.by_type.entry(event.str("activityType")?.into_owned()).or_default() += 1;
        counts.total += 1;
        Ok(())
    }

    fn merge(mut earlier: Counts, later: Counts, _customer: &String) -> Result<Counts> {
        earlier.total += later.total;
        for (name, count) in later.by_type {
            *earlier.by_type.entry(name).or_default() += count;
        }
        Ok(earlier)
    }

    fn result(counts: &Counts, _customer: &String, _ctx: &Ctx) -> Result<Counts> {
        Ok(counts.clone())
    }
}

#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    total: u64,
    by_type: BTreeMap<String, u64>,
}

impl State for Counts {
    const VERSION: u32 = 1;
}

plugin! { name: "activity", functions: [Activity] }

fn main() {
    let events = ["VIEW", "PURCHASE", "VIEW"].map(|n| Record::new("ann", format!(r#"{{"activityType":"{n}"}}"#)));
    for group in Bench::new(&PLUGIN).aggregate("activity", &[Group::new("ann", events)], Mode::Each) {
        for outcome in &group.outcomes {
            println!("{}", outcome.texts().concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::Grouped;

    use super::*;

    fn events(names: &str) -> Group {
        Group::new("ann", names.split(' ').map(|name| Record::new("ann", format!(r#"{{"activityType":"{name}"}}"#))))
    }

    fn run(group: Group) -> Grouped {
        Bench::new(&PLUGIN).aggregate("activity", &[group], Mode::Each).remove(0)
    }

    fn state(group: &Grouped) -> String {
        group.state.as_ref().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    #[test]
    fn each_event_is_counted_by_its_type() {
        let group = run(events("VIEW BUY VIEW"));
        let results: Vec<String> = group.outcomes.iter().flat_map(|outcome| outcome.texts()).collect();
        assert_eq!(
            results,
            [
                r#"{"total":1,"byType":{"VIEW":1}}"#,
                r#"{"total":2,"byType":{"BUY":1,"VIEW":1}}"#,
                r#"{"total":3,"byType":{"BUY":1,"VIEW":2}}"#,
            ]
        );
    }

    #[test]
    fn an_event_between_two_sessions_makes_one_of_them() {
        let (morning, noon) = (state(&run(events("VIEW VIEW"))), state(&run(events("BUY"))));
        let merged = run(events("VIEW").absorb(1, morning).absorb(1, noon));
        assert_eq!(state(&merged), r#"{"total":4,"byType":{"BUY":1,"VIEW":3}}"#);
    }

    #[test]
    fn an_event_without_a_type_fails_and_is_not_counted() {
        let group = Group::new("ann", [Record::new("ann", "{}")]);
        assert!(run(group).outcomes.iter().all(|outcome| outcome.failure().contains("activityType")));
    }
}

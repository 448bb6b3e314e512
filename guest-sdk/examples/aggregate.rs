//! An aggregate: a state for each key and window.

use std::collections::BTreeMap;

use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Group, Mode, Record};

/// What customers do, by type of activity.
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

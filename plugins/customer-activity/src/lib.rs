//! What customers do: how much in five minutes, and in one visit.

use std::collections::BTreeMap;

use millrace_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// How much each activity adds to the score.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Scoring {
    /// By type of activity. Types that a config names are added to VIEW, ADD_TO_CART and PURCHASE, or replace them.
    #[serde(deserialize_with = "over_defaults")]
    weights: BTreeMap<String, u64>,
    /// Of all other types.
    other: u64,
}

fn over_defaults<'de, D: Deserializer<'de>>(config: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let mut weights = Scoring::default().weights;
    weights.extend(BTreeMap::<String, u64>::deserialize(config)?);
    Ok(weights)
}

impl Default for Scoring {
    fn default() -> Self {
        let weights = [("VIEW", 1), ("ADD_TO_CART", 3), ("PURCHASE", 5)];
        Self { weights: weights.map(|(name, weight)| (name.to_owned(), weight)).into(), other: 1 }
    }
}

impl Config for Scoring {}

impl Scoring {
    fn score(&self, by_type: &BTreeMap<String, u64>) -> u64 {
        let weight = |name: &String| self.weights.get(name).copied().unwrap_or(self.other);
        by_type.iter().map(|(name, count)| weight(name).saturating_mul(*count)).fold(0, u64::saturating_add)
    }
}

/// An event needs a type. Everything else about it is carried and not looked at.
#[transform]
pub fn check(event: Doc) -> Result<Unchanged> {
    event.str("activityType").map(|_| Unchanged)
}

/// How many activities there were of each type.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    total: u64,
    by_type: BTreeMap<String, u64>,
}

impl State for Counts {
    const VERSION: u32 = 1;
}

impl Counts {
    fn add(&mut self, event: &Doc) -> Result<()> {
        let kind = event.str("activityType")?;
        match self.by_type.get_mut(&*kind) {
            Some(count) => *count += 1,
            None => drop(self.by_type.insert(kind.into_owned(), 1)),
        }
        self.total += 1;
        Ok(())
    }
}

/// A customer's activity in a window of fixed length.
pub struct Activity;

#[aggregate]
impl Aggregate for Activity {
    type Key = String;
    type Input = Doc;
    type State = Counts;
    type Output = ActivityResult;

    fn init(_customer: &String) -> Counts {
        Counts::default()
    }

    fn add(counts: &mut Counts, _customer: &String, event: Doc, _ctx: &Ctx) -> Result<()> {
        counts.add(&event)
    }

    fn result(counts: &Counts, customer: &String, ctx: &Ctx) -> Result<ActivityResult> {
        let Window { start, end } = ctx.in_window()?;
        Ok(ActivityResult {
            customer_id: customer.clone(),
            window_start: start,
            window_end: end,
            total: counts.total,
            by_type: counts.by_type.clone(),
            score: ctx.config::<Scoring>().score(&counts.by_type),
        })
    }
}

/// What [`Activity`] puts out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityResult {
    customer_id: String,
    window_start: i64,
    window_end: i64,
    total: u64,
    by_type: BTreeMap<String, u64>,
    score: u64,
}

/// A customer's visit: activities without a long pause between them.
pub struct Visit;

#[aggregate]
impl Aggregate for Visit {
    type Key = String;
    type Input = Doc;
    type State = Counts;
    type Output = VisitResult;

    fn init(_customer: &String) -> Counts {
        Counts::default()
    }

    fn add(counts: &mut Counts, _customer: &String, event: Doc, _ctx: &Ctx) -> Result<()> {
        counts.add(&event)
    }

    fn merge(mut earlier: Counts, later: Counts, _customer: &String) -> Result<Counts> {
        // The session that an event makes longer is merged with a new state.
        if earlier.total == 0 {
            return Ok(later);
        }
        earlier.total += later.total;
        for (name, count) in later.by_type {
            *earlier.by_type.entry(name).or_default() += count;
        }
        Ok(earlier)
    }

    fn result(counts: &Counts, customer: &String, ctx: &Ctx) -> Result<VisitResult> {
        let Window { start, end } = ctx.in_window()?;
        Ok(VisitResult {
            customer_id: customer.clone(),
            session_start: start,
            session_end: end,
            duration_ms: end - start,
            total: counts.total,
            by_type: counts.by_type.clone(),
        })
    }
}

/// What [`Visit`] puts out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VisitResult {
    customer_id: String,
    session_start: i64,
    session_end: i64,
    duration_ms: i64,
    total: u64,
    by_type: BTreeMap<String, u64>,
}

plugin! { name: "customer-activity", config: Scoring, functions: [check, Activity, Visit] }

//! Orders with their customers, large orders, and what each region orders in an hour.

use millrace_sdk::prelude::*;
use millrace_sdk::serde_json::value::RawValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From where on an order is a large one.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Limits {
    /// Orders with a larger amount are of high value.
    high_value_above: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { high_value_above: 1000.0 }
    }
}

impl Config for Limits {
    fn validate(&self) -> Result<(), String> {
        if self.high_value_above.is_nan() || self.high_value_above < 0.0 {
            return Err("high-value-above must be 0 or more: amounts are over 0".into());
        }
        Ok(())
    }
}

/// An order needs a customer and an amount over 0.
#[transform]
pub fn check(order: Doc) -> Result<Unchanged> {
    if !order.has("customerId") || order.is_null("customerId") {
        return Err(order.invalid("customerId", "must be there"));
    }
    amount(&order)?;
    Ok(Unchanged)
}

/// A row of a customer is an object, or null where the customer is gone.
#[transform]
pub fn check_row(row: Option<Doc>) -> Unchanged {
    drop(row);
    Unchanged
}

fn amount(order: &Doc) -> Result<f64> {
    let amount = order.f64("amount")?;
    if amount > 0.0 { Ok(amount) } else { Err(order.invalid("amount", "must be over 0")) }
}

/// The order with its customer, and the customer's tier in a field of its own; both are null where the customer isn't
/// known, or has no tier.
#[join]
pub fn enrich(mut order: Doc, customer: Option<Doc>) -> Result<Doc> {
    let tier = customer.as_ref().map(|customer| customer.opt::<&RawValue>("tier")).transpose()?.flatten();
    order.set("customer", customer.as_ref());
    order.set_json("customerTier", &tier)?;
    Ok(order)
}

/// Lets orders of high value through.
#[transform]
pub fn high_value(order: Doc, ctx: Ctx) -> Result<Option<Unchanged>> {
    Ok((amount(&order)? > ctx.config::<Limits>().high_value_above).then_some(Unchanged))
}

/// The order under the key of its region; under none if it has no region.
#[transform(rekey)]
pub fn by_region(order: Doc) -> Output {
    match order.str("region") {
        Ok(region) => Output::new().key(region.into_owned()),
        Err(_) => Output::new().null_key(),
    }
}

/// The orders of a region in a window.
pub struct Trend;

#[aggregate]
impl Aggregate for Trend {
    type Key = String;
    type Input = Doc;
    type State = Orders;
    type Output = TrendResult;

    fn init(_region: &String) -> Orders {
        Orders::default()
    }

    fn add(orders: &mut Orders, _region: &String, order: Doc, _ctx: &Ctx) -> Result<()> {
        let amount = amount(&order)?;
        orders.count += 1;
        // A sum that would be too large for a number stays the largest one: an infinite one couldn't be kept.
        orders.total = (orders.total + amount).min(f64::MAX);
        orders.max = orders.max.max(amount);
        Ok(())
    }

    fn result(orders: &Orders, region: &String, ctx: &Ctx) -> Result<TrendResult> {
        let window = ctx.in_window()?;
        Ok(TrendResult {
            region: region.clone(),
            window_start: window.start,
            window_end: window.end,
            count: orders.count,
            total: orders.total,
            average: orders.total / orders.count as f64,
            max: orders.max,
        })
    }
}

/// What is kept of the orders of a window. Amounts are over 0, so the largest of none is 0.
#[derive(Default, Serialize, Deserialize)]
pub struct Orders {
    count: u64,
    total: f64,
    max: f64,
}

impl State for Orders {
    const VERSION: u32 = 1;
}

/// What [`Trend`] puts out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrendResult {
    region: String,
    window_start: i64,
    window_end: i64,
    count: u64,
    total: f64,
    average: f64,
    max: f64,
}

plugin! { name: "order-enrichment", config: Limits, functions: [check, check_row, enrich, high_value, by_region, Trend] }

//! Prices that follow the demand.

use std::collections::BTreeMap;

use millrace_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How prices follow the demand.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Pricing {
    /// Orders of a product in a window at which its price stays as it is.
    expected: f64,
    /// The same for some products.
    expected_of: BTreeMap<String, f64>,
    /// How much of the surplus demand goes into the price: 0.1 makes it 10 % higher where twice as much is ordered as
    /// expected.
    elasticity: f64,
    /// The recommended price is at most this many times the base price.
    cap: f64,
}

impl Default for Pricing {
    fn default() -> Self {
        Self { expected: 50.0, expected_of: BTreeMap::new(), elasticity: 0.1, cap: 1.1 }
    }
}

impl Config for Pricing {
    fn validate(&self) -> Result<(), String> {
        let all = self.expected_of.iter().map(|(product, expected)| (format!("expected-of.{product}"), *expected));
        for (name, expected) in [("expected".to_owned(), self.expected)].into_iter().chain(all) {
            if expected.is_nan() || expected <= 0.0 {
                return Err(format!("{name} must be over 0: the demand is measured by it"));
            }
        }
        if !(0.0..=1.0).contains(&self.elasticity) {
            return Err("elasticity must be from 0 to 1: else a price could be below 0".into());
        }
        if self.cap.is_nan() || self.cap < 1.0 {
            return Err("cap must be 1 or more: the base price itself is a price to recommend".into());
        }
        Ok(())
    }
}

impl Pricing {
    fn expected(&self, product: &str) -> f64 {
        self.expected_of.get(product).copied().unwrap_or(self.expected)
    }
}

fn unit_price(order: &Doc) -> Result<f64> {
    let price = order.f64("unitPrice")?;
    if price > 0.0 { Ok(price) } else { Err(order.invalid("unitPrice", "must be over 0")) }
}

/// The order under the key of its product; under none if it has no product. It needs a unit price over 0.
#[transform(rekey)]
pub fn by_product(order: Doc) -> Result<Output> {
    unit_price(&order)?;
    Ok(match order.str("productId") {
        Ok(product) => Output::new().key(product.into_owned()),
        Err(_) => Output::new().null_key(),
    })
}

/// The demand for a product in a window, and the price that follows from it.
pub struct Price;

#[aggregate]
impl Aggregate for Price {
    type Key = String;
    type Input = Doc;
    type State = Demand;
    type Output = Recommendation;

    fn init(_product: &String) -> Demand {
        Demand::default()
    }

    fn add(demand: &mut Demand, _product: &String, order: Doc, _ctx: &Ctx) -> Result<()> {
        demand.base_price = unit_price(&order)?;
        demand.orders += 1;
        Ok(())
    }

    fn result(demand: &Demand, product: &String, ctx: &Ctx) -> Result<Recommendation> {
        let window = ctx.in_window()?;
        let config = ctx.config::<Pricing>();
        let (base, expected) = (demand.base_price, config.expected(product));
        // What is too large for a number becomes the largest one: JSON has no infinite numbers.
        let factor = (demand.orders as f64 / expected).min(f64::MAX);
        let price = base * (1.0 + (factor - 1.0) * config.elasticity);
        Ok(Recommendation {
            product_id: product.clone(),
            window_start: window.start,
            window_end: window.end,
            orders: demand.orders,
            expected,
            demand_factor: factor,
            base_price: base,
            recommended_price: price.min(base * config.cap).min(f64::MAX),
        })
    }
}

/// What is kept of the orders of a product in a window.
#[derive(Default, Serialize, Deserialize)]
pub struct Demand {
    orders: u64,
    /// The unit price of the order that came last.
    base_price: f64,
}

impl State for Demand {
    const VERSION: u32 = 1;
}

/// What [`Price`] puts out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    product_id: String,
    window_start: i64,
    window_end: i64,
    orders: u64,
    expected: f64,
    demand_factor: f64,
    base_price: f64,
    recommended_price: f64,
}

plugin! { name: "dynamic-pricing", config: Pricing, functions: [by_product, Price] }

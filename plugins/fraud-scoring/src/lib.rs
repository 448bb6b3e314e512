//! Payments that look like fraud: too many in a short time, too large for their customer, and customers at risk.

mod history;
mod window;

use millrace_sdk::prelude::*;
use millrace_sdk::serde_json::value::RawValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use window::Seen;

/// From where on payments look like fraud.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Rules {
    /// More payments than this in a window are too many.
    rapid_payments: u64,
    /// An amount is unusual that is more than this many times the mean of the customer's earlier payments.
    unusual_factor: f64,
    /// Of fewer earlier payments than this, nothing is unusual.
    min_history: u64,
    /// A sum of payments above this in a window is a risk.
    risky_total: f64,
    /// More distinct locations than this in a window are a risk.
    risky_locations: u64,
    /// What each risk adds to the score.
    points: Points,
    /// A customer with a higher score is at high risk.
    high_risk_above: u32,
}

/// What each risk adds to the score of a customer in a window.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Points {
    /// Too many payments.
    payments: u32,
    /// Too large a sum.
    total: u32,
    /// Too many locations.
    locations: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rapid_payments: 10,
            unusual_factor: 5.0,
            min_history: 1,
            risky_total: 10_000.0,
            risky_locations: 3,
            points: Points::default(),
            high_risk_above: 75,
        }
    }
}

impl Default for Points {
    fn default() -> Self {
        Self { payments: 30, total: 40, locations: 30 }
    }
}

impl Config for Rules {
    fn validate(&self) -> Result<(), String> {
        if self.min_history == 0 {
            return Err("min-history must be 1 or more: without an earlier payment there is no mean".into());
        }
        if self.unusual_factor.is_nan() || self.unusual_factor < 1.0 {
            return Err("unusual-factor must be 1 or more: a payment is unusual that is above the mean".into());
        }
        if self.risky_total.is_nan() || self.risky_total < 0.0 {
            return Err("risky-total must be 0 or more: amounts are over 0".into());
        }
        Ok(())
    }
}

fn amount(payment: &Doc) -> Result<f64> {
    let amount = payment.f64("amount")?;
    if amount > 0.0 { Ok(amount) } else { Err(payment.invalid("amount", "must be over 0")) }
}

/// The id of a payment, as the payment has it.
fn id(payment: &Doc) -> Result<Option<Box<RawValue>>> {
    Ok(payment.opt::<&RawValue>("paymentId")?.map(ToOwned::to_owned))
}

/// A payment needs a customer as its key, and an amount over 0.
#[transform]
pub fn check(_customer: Key<String>, payment: Doc) -> Result<Unchanged> {
    amount(&payment).map(|_| Unchanged)
}

/// Adds an amount to a sum. A sum that would be too large for a number stays the largest one: an infinite sum couldn't
/// be kept, and the payment would fail.
fn sum(before: f64, amount: f64) -> f64 {
    (before + amount).min(f64::MAX)
}

/// The id of an alert: the same only for the same type, customer and other parts. `:` in a part is written `%3A`.
fn alert_id(kind: &str, customer: &str, of: &[&str]) -> String {
    let escaped = |part: &str| part.replace('%', "%25").replace(':', "%3A");
    let parts = [customer].into_iter().chain(of.iter().copied()).map(escaped);
    parts.fold(kind.to_owned(), |id, part| id + ":" + &part)
}

/// An alert.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    alert_id: String,
    customer_id: String,
    #[serde(rename = "type")]
    kind: String,
    severity: String,
    value: Number,
    threshold: Number,
    payment_id: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_start: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_end: Option<i64>,
}

/// A count or an amount.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// How many.
    Count(u64),
    /// How much.
    Amount(f64),
}

/// Sends what a payment has brought about to where it belongs: an alert, a customer at high risk, or both.
#[transform(ports(alerts, high_risk))]
pub fn report(seen: Seen) -> Outputs {
    let alert = seen.alert.map(|alert| Output::to(report::ALERTS).value(alert));
    let risk = seen.high_risk.map(|risk| Output::to(report::HIGH_RISK).value(risk));
    alert.into_iter().chain(risk).collect()
}

plugin! { name: "fraud-scoring", config: Rules, functions: [check, window::Payments, report, history::Mean] }

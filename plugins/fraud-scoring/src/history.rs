//! All payments of a customer.

use millrace_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Alert, Number, Rules, alert_id, amount, id, sum};

/// The mean of a customer's payments, and the payment that is far above it.
pub struct Mean;

#[aggregate]
impl Aggregate for Mean {
    type Key = String;
    type Input = Doc;
    type State = History;
    type Output = Option<Alert>;

    fn init(_customer: &String) -> History {
        History::default()
    }

    fn add(history: &mut History, customer: &String, payment: Doc, ctx: &Ctx) -> Result<()> {
        let (amount, rules) = (amount(&payment)?, ctx.config::<Rules>());
        history.alert = None;
        if history.payments >= rules.min_history {
            let mean = history.total / history.payments as f64;
            let threshold = (rules.unusual_factor * mean).min(f64::MAX);
            if amount > threshold {
                history.alert = Some(unusual(customer, &payment, (amount, threshold), ctx)?);
            }
        }
        history.payments += 1;
        history.total = sum(history.total, amount);
        Ok(())
    }

    fn result(history: &History, _customer: &String, _ctx: &Ctx) -> Result<Option<Alert>> {
        Ok(history.alert.clone())
    }
}

/// A payment with a text as its id is known by that, and any other id is marked as what it is. A payment without an id
/// is known by its time and amount.
fn unusual(customer: &str, payment: &Doc, (amount, threshold): (f64, f64), ctx: &Ctx) -> Result<Alert> {
    let payment_id = id(payment)?;
    let (time, value) = (ctx.timestamp().to_string(), amount.to_string());
    let known_by: &[&str] = match payment_id.as_ref().map(|id| id.get()) {
        Some(id) => match id.strip_prefix('"').and_then(|id| id.strip_suffix('"')) {
            Some(text) => &[text],
            None => &["json", id],
        },
        None => &["at", &time, &value],
    };
    Ok(Alert {
        alert_id: alert_id("UNUSUAL_AMOUNT", customer, known_by),
        customer_id: customer.to_owned(),
        kind: "UNUSUAL_AMOUNT".into(),
        severity: "MEDIUM".into(),
        value: Number::Amount(amount),
        threshold: Number::Amount(threshold),
        payment_id,
        window_start: None,
        window_end: None,
    })
}

/// What is kept of all payments of a customer.
#[derive(Default, Serialize, Deserialize)]
pub struct History {
    payments: u64,
    total: f64,
    /// The alert of the last payment, where it was unusual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Alert>,
}

impl State for History {
    const VERSION: u32 = 1;
}

//! The payments of a customer in a window.

use std::collections::BTreeSet;

use millrace_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Alert, Number, Rules, alert_id, amount, id, sum};

/// The payments of a customer in a window: too many, or of high risk.
pub struct Payments;

#[aggregate]
impl Aggregate for Payments {
    type Key = String;
    type Input = Doc;
    type State = Activity;
    type Output = Option<Seen>;

    fn init(_customer: &String) -> Activity {
        Activity::default()
    }

    fn add(activity: &mut Activity, customer: &String, payment: Doc, ctx: &Ctx) -> Result<()> {
        let amount = amount(&payment)?;
        let window = ctx.in_window()?;
        activity.payments += 1;
        activity.total = sum(activity.total, amount);
        activity.locations.extend(payment.str("location").ok().map(|place| place.into_owned()));
        activity.seen = activity.look(customer, &payment, window, ctx.config())?;
        Ok(())
    }

    fn result(activity: &Activity, _customer: &String, _ctx: &Ctx) -> Result<Option<Seen>> {
        Ok(activity.seen.clone())
    }
}

/// What is kept of the payments of a customer in a window.
#[derive(Default, Serialize, Deserialize)]
pub struct Activity {
    payments: u64,
    total: f64,
    locations: BTreeSet<String>,
    /// Whether there was an alert, and whether the customer was reported at high risk: once a window.
    rapid: bool,
    high_risk: bool,
    /// What the last payment has brought about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
}

impl State for Activity {
    const VERSION: u32 = 1;
}

impl Activity {
    /// What the payment that was added last brings about.
    fn look(&mut self, customer: &str, payment: &Doc, window: Window, rules: &Rules) -> Result<Option<Seen>> {
        let is_rapid = self.payments > rules.rapid_payments;
        let alert = (is_rapid && !self.rapid).then(|| {
            Ok::<_, Error>(Alert {
                alert_id: alert_id("RAPID_PAYMENTS", customer, &[&window.start.to_string()]),
                customer_id: customer.to_owned(),
                kind: "RAPID_PAYMENTS".into(),
                severity: "HIGH".into(),
                value: Number::Count(self.payments),
                threshold: Number::Count(rules.rapid_payments),
                payment_id: id(payment)?,
                window_start: Some(window.start),
                window_end: Some(window.end),
            })
        });
        let alert = alert.transpose()?;
        let score = self.score(rules);
        let is_high = score > rules.high_risk_above;
        let high_risk = (is_high && !self.high_risk).then(|| HighRisk {
            customer_id: customer.to_owned(),
            score,
            payments: self.payments,
            total: self.total,
            locations: self.locations.len(),
            window_start: window.start,
            window_end: window.end,
        });
        (self.rapid, self.high_risk) = (self.rapid || is_rapid, self.high_risk || is_high);
        Ok((alert.is_some() || high_risk.is_some()).then_some(Seen { alert, high_risk }))
    }

    fn score(&self, rules: &Rules) -> u32 {
        let risks = [
            (self.payments > rules.rapid_payments, rules.points.payments),
            (self.total > rules.risky_total, rules.points.total),
            (self.locations.len() as u64 > rules.risky_locations, rules.points.locations),
        ];
        risks.iter().filter(|(there, _)| *there).map(|(_, points)| *points).fold(0, u32::saturating_add)
    }
}

/// What a payment has brought about.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    /// There are too many payments now.
    pub(crate) alert: Option<Alert>,
    /// The customer is at high risk now.
    pub(crate) high_risk: Option<HighRisk>,
}

/// A customer at high risk.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HighRisk {
    customer_id: String,
    score: u32,
    payments: u64,
    total: f64,
    locations: usize,
    window_start: i64,
    window_end: i64,
}

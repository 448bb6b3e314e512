//! What the analytics have found, as the people who asked for it want to see it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::args::DemoKind;

/// At most this many lines of a list are shown.
const SHOWN: usize = 8;

/// A title with its lines.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
}

/// Values of the result topics, in the order of their timestamps.
pub(super) type Results = BTreeMap<String, Vec<Value>>;

/// The first line of a demo's report, and its findings; the orders' are counted from their table.
pub(super) fn findings(kind: DemoKind, results: &Results) -> (&'static str, Vec<Section>) {
    match kind {
        DemoKind::Orders => {
            ("Payment and stock decided on orders; a sandboxed rule made one decision of the two.", Vec::new())
        }
        DemoKind::Fraud => ("Payments were looked through for fraud.", fraud(results)),
        DemoKind::Recommendations => {
            ("Views became recommendations, by what customers did before.", recommended(results))
        }
        DemoKind::Pricing => ("Orders moved the prices of their products.", prices(results)),
        DemoKind::Activity => ("Events of customers became activity and visits.", activity(results)),
    }
}

fn of<'a>(results: &'a Results, topic: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
    results.get(topic).into_iter().flatten().filter(|value| value.is_object())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or_default()
}

/// The start of a window as a time of day, in UTC.
fn since(value: &Value, name: &str) -> String {
    let minutes = value.get(name).and_then(Value::as_i64).unwrap_or_default().div_euclid(60_000);
    format!("{:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
}

/// The first lines, and how many more there are.
fn some(title: &str, lines: Vec<String>) -> Section {
    let title = match lines.len() {
        count if count > SHOWN => format!("{title}: {SHOWN} of {count}"),
        count => format!("{title}: {count}"),
    };
    Section { title, lines: lines.into_iter().take(SHOWN).collect() }
}

fn fraud(results: &Results) -> Vec<Section> {
    let alert = |alert: &Value| {
        let (customer, payment) = (text(alert, "customerId"), text(alert, "paymentId"));
        let (value, threshold) = (number(alert, "value"), number(alert, "threshold"));
        let reason = match text(alert, "type") {
            "RAPID_PAYMENTS" => {
                let minutes = (number(alert, "windowEnd") - number(alert, "windowStart")) / 60_000.0;
                let start = since(alert, "windowStart");
                format!("payment {value} in the {minutes} minutes from {start}, over {threshold}")
            }
            _ => format!("{value:.2} paid; earlier payments make all above {threshold:.2} unusual"),
        };
        format!("{:6}  {customer:8}  {reason} ({payment})", text(alert, "severity"))
    };
    let risk = |risk: &Value| {
        let (payments, total) = (number(risk, "payments"), number(risk, "total"));
        let (customer, score, places) = (text(risk, "customerId"), number(risk, "score"), number(risk, "locations"));
        let start = since(risk, "windowStart");
        format!(
            "{customer:8}  score {score}: {payments} payments, {total:.2} in sum, in {places} places, from {start} on"
        )
    };
    vec![
        some("Alerts", of(results, "bss.fraud.alerts").map(alert).collect()),
        some("Customers at high risk", of(results, "bss.fraud.high-risk").map(risk).collect()),
    ]
}

/// The last value of each key, which these fields make.
fn latest<'a>(values: impl Iterator<Item = &'a Value>, key: &[&str]) -> Vec<&'a Value> {
    let mut latest: BTreeMap<String, &Value> = BTreeMap::new();
    for value in values {
        let key: Vec<String> = key.iter().filter_map(|name| value.get(*name)).map(Value::to_string).collect();
        latest.insert(key.join(" "), value);
    }
    latest.into_values().collect()
}

/// The values with the largest of these numbers first.
fn by_number(mut values: Vec<&Value>, of: impl Fn(&Value) -> f64) -> Vec<&Value> {
    values.sort_by_key(|value| Reverse((of(value) * 1e6) as i64));
    values
}

fn recommended(results: &Results) -> Vec<Section> {
    let recommendation = |value: &Value| {
        let list = value.get("recommendations").and_then(Value::as_array).into_iter().flatten();
        let list: Vec<&str> = list.filter_map(Value::as_str).collect();
        let (customer, product) = (text(value, "customerId"), text(value, "productId"));
        format!("{customer:8}  looked at {product:6}  and may like {}", list.join(", "))
    };
    let trend = |value: &Value| {
        let (product, views) = (text(value, "productId"), number(value, "views"));
        format!("{product:8}  {views:>3} views in the hour from {}", since(value, "windowStart"))
    };
    let customers = latest(of(results, "bss.recommendations"), &["customerId"]);
    let trends = latest(of(results, "bss.products.trending"), &["productId", "windowStart"]);
    let trends = by_number(trends, |value| number(value, "views"));
    vec![
        some("Customers with a recommendation", customers.into_iter().map(recommendation).collect()),
        some("Trending products", trends.into_iter().map(trend).collect()),
    ]
}

fn prices(results: &Results) -> Vec<Section> {
    let change = |value: &Value| number(value, "recommendedPrice") / number(value, "basePrice") - 1.0;
    let price = |value: &Value| {
        let (product, orders) = (text(value, "productId"), number(value, "orders"));
        let (base, recommended) = (number(value, "basePrice"), number(value, "recommendedPrice"));
        let (percent, start) = (change(value) * 100.0, since(value, "windowStart"));
        format!("{product:8}  {base:>8.2} -> {recommended:>8.2} ({percent:+.1} %)  {orders:>3} orders from {start} on")
    };
    let last = latest(of(results, "bss.pricing.recommendations"), &["productId", "windowStart"]);
    let last = by_number(last, change);
    vec![some("Prices, by product and quarter of an hour", last.into_iter().map(price).collect())]
}

fn activity(results: &Results) -> Vec<Section> {
    let window = |value: &Value| {
        let (customer, score, total) = (text(value, "customerId"), number(value, "score"), number(value, "total"));
        format!(
            "{customer:8}  score {score:>3} of {total:>2} events in the window from {}",
            since(value, "windowStart")
        )
    };
    let visit = |value: &Value| {
        let (customer, total) = (text(value, "customerId"), number(value, "total"));
        let minutes = number(value, "durationMs") / 60_000.0;
        format!("{customer:8}  {minutes:>5.1} minutes with {total:>2} events, from {}", since(value, "sessionStart"))
    };
    let windows = latest(of(results, "bss.customer.activity.aggregated"), &["customerId", "windowStart"]);
    let windows = by_number(windows, |value| number(value, "score"));
    // The last result of a customer is that of the visit that was not absorbed by a longer one.
    let visits =
        by_number(latest(of(results, "bss.customer.sessions"), &["customerId"]), |value| number(value, "durationMs"));
    vec![
        some("Most active windows of customers", windows.into_iter().map(window).collect()),
        some("Longest last visits", visits.into_iter().map(visit).collect()),
    ]
}

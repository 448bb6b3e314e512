//! The rules of the analytics once more, as plainly as they can be said: one record after the other, with all state in
//! maps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What becomes of the lines of a sample: values by topic, in their order.
pub(crate) type Rules = fn(&[Value]) -> Results;

type Results = BTreeMap<String, Vec<Value>>;

const MINUTE: i64 = 60_000;

/// Whether two values are the same, but for the last digits of numbers and for how they are written.
pub(crate) fn is_like(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_like(a, b)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_like(a, b)),
        _ => found == expected,
    }
}

/// A record whose key and value can be read: a key of text or none, and a JSON object.
struct Record<'a> {
    topic: &'a str,
    key: Option<&'a str>,
    value: &'a Value,
    time: i64,
}

impl Record<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.value[name].as_str()
    }

    fn over_zero(&self, name: &str) -> Option<f64> {
        self.value[name].as_f64().filter(|number| *number > 0.0)
    }
}

fn read(lines: &[Value]) -> impl Iterator<Item = Record<'_>> {
    lines.iter().filter_map(|line| {
        let key = line.get("key")?;
        let (topic, value) = (line["topic"].as_str()?, line.get("value").filter(|value| value.is_object())?);
        Some(Record { topic, key: key.as_str(), value, time: line["timestamp"].as_i64()? })
    })
}

/// Tumbling windows without grace.
struct Windows {
    size: i64,
    stream_time: i64,
}

impl Windows {
    fn of(size: i64) -> Self {
        Self { size, stream_time: i64::MIN }
    }

    /// The window of a record, if it is still open.
    fn window(&mut self, time: i64) -> Option<(i64, i64)> {
        self.stream_time = self.stream_time.max(time);
        let start = time / self.size * self.size;
        (start + self.size > self.stream_time).then_some((start, start + self.size))
    }
}

fn put(results: &mut Results, topic: &str, value: Value) {
    results.entry(topic.to_owned()).or_default().push(value);
}

pub(crate) fn activity(lines: &[Value]) -> Results {
    let mut results = Results::new();
    let mut windows = Windows::of(5 * MINUTE);
    let mut counts: BTreeMap<(String, i64), BTreeMap<String, u64>> = BTreeMap::new();
    let mut visits: BTreeMap<String, Vec<Visit>> = BTreeMap::new();
    let mut stream_time = i64::MIN;
    for record in read(lines) {
        let (Some(customer), Some(kind)) = (record.key, record.text("activityType")) else { continue };
        if let Some((start, end)) = windows.window(record.time) {
            let by_type = counts.entry((customer.to_owned(), start)).or_default();
            *by_type.entry(kind.to_owned()).or_default() += 1;
            let weight = |kind: &str| match kind {
                "ADD_TO_CART" => 3,
                "PURCHASE" => 5,
                _ => 1,
            };
            let score: u64 = by_type.iter().map(|(kind, count)| weight(kind) * count).sum();
            let total: u64 = by_type.values().sum();
            let value = json!({"customerId": customer, "windowStart": start, "windowEnd": end, "total": total,
                "byType": by_type, "score": score});
            put(&mut results, "bss.customer.activity.aggregated", value);
        }
        stream_time = stream_time.max(record.time);
        visit(visits.entry(customer.to_owned()).or_default(), stream_time, (customer, kind, record.time), &mut results);
    }
    results
}

struct Visit {
    start: i64,
    end: i64,
    by_type: BTreeMap<String, u64>,
}

const PAUSE: i64 = 30 * MINUTE;

/// Adds an event to a customer's visits: those that it belongs to become one, each with a tombstone.
fn visit(visits: &mut Vec<Visit>, stream_time: i64, (customer, kind, time): (&str, &str, i64), results: &mut Results) {
    visits.retain(|visit| visit.end + PAUSE >= stream_time);
    let (joined, others): (Vec<Visit>, Vec<Visit>) =
        std::mem::take(visits).into_iter().partition(|visit| visit.start - PAUSE <= time && time <= visit.end + PAUSE);
    *visits = others;
    let mut one = Visit { start: time, end: time, by_type: BTreeMap::new() };
    for visit in &joined {
        (one.start, one.end) = (one.start.min(visit.start), one.end.max(visit.end));
        for (kind, count) in &visit.by_type {
            *one.by_type.entry(kind.clone()).or_default() += count;
        }
    }
    if one.end + PAUSE < stream_time {
        visits.extend(joined);
        return;
    }
    *one.by_type.entry(kind.to_owned()).or_default() += 1;
    let is_new = (one.start, one.end) == (time, time);
    joined.iter().filter(|_| !is_new).for_each(|_| put(results, "bss.customer.sessions", Value::Null));
    let total: u64 = one.by_type.values().sum();
    let value = json!({"customerId": customer, "sessionStart": one.start, "sessionEnd": one.end,
        "durationMs": one.end - one.start, "total": total, "byType": one.by_type});
    put(results, "bss.customer.sessions", value);
    visits.push(one);
}

pub(crate) fn enrichment(lines: &[Value]) -> Results {
    let mut results = Results::new();
    let mut windows = Windows::of(60 * MINUTE);
    let mut trends: BTreeMap<(String, i64), (u64, f64, f64)> = BTreeMap::new();
    let mut customers: BTreeMap<String, Value> = BTreeMap::new();
    for record in with_tombstones(lines) {
        if record.topic == "bss.customer.info" {
            match record.key {
                Some(customer) if record.value.is_null() => drop(customers.remove(customer)),
                Some(customer) => drop(customers.insert(customer.to_owned(), record.value.clone())),
                None => {}
            }
            continue;
        }
        let Some(amount) = record.over_zero("amount").filter(|_| !record.value["customerId"].is_null()) else {
            continue;
        };
        let row = record.key.and_then(|customer| customers.get(customer));
        let mut order = record.value.clone();
        order["customer"] = row.cloned().unwrap_or(Value::Null);
        order["customerTier"] = row.map_or(Value::Null, |row| row["tier"].clone());
        put(&mut results, "bss.orders.enriched", order.clone());
        if amount > 1000.0 {
            put(&mut results, "bss.orders.highvalue", order);
        }
        let Some(region) = record.text("region") else { continue };
        let Some((start, end)) = windows.window(record.time) else { continue };
        let (count, total, max) = trends.entry((region.to_owned(), start)).or_default();
        (*count, *total, *max) = (*count + 1, *total + amount, max.max(amount));
        let value = json!({"region": region, "windowStart": start, "windowEnd": end, "count": *count, "total": *total,
            "average": *total / *count as f64, "max": *max});
        put(&mut results, "bss.orders.region.trend", value);
    }
    results
}

/// The same with null values in the topic that is a table.
fn with_tombstones(lines: &[Value]) -> impl Iterator<Item = Record<'_>> {
    lines.iter().filter_map(|line| {
        let (topic, key, value) = (line["topic"].as_str()?, line.get("key")?, line.get("value")?);
        let is_tombstone = topic == "bss.customer.info" && value.is_null();
        if !(value.is_object() || is_tombstone) {
            return None;
        }
        Some(Record { topic, key: key.as_str(), value, time: line["timestamp"].as_i64()? })
    })
}

#[derive(Default)]
struct Payments {
    count: u64,
    total: f64,
    locations: BTreeSet<String>,
    is_rapid: bool,
    is_high: bool,
}

pub(crate) fn fraud(lines: &[Value]) -> Results {
    let mut results = Results::new();
    let mut windows = Windows::of(5 * MINUTE);
    let mut recent: BTreeMap<(String, i64), Payments> = BTreeMap::new();
    let mut history: BTreeMap<String, (u64, f64)> = BTreeMap::new();
    for record in read(lines) {
        let (Some(customer), Some(amount)) = (record.key, record.over_zero("amount")) else { continue };
        let id = &record.value["paymentId"];
        if let Some((start, end)) = windows.window(record.time) {
            let payments = recent.entry((customer.to_owned(), start)).or_default();
            payments.count += 1;
            payments.total += amount;
            payments.locations.extend(record.text("location").map(str::to_owned));
            if payments.count > 10 && !payments.is_rapid {
                payments.is_rapid = true;
                let alert = json!({"alertId": format!("RAPID_PAYMENTS:{customer}:{start}"), "customerId": customer,
                    "type": "RAPID_PAYMENTS", "severity": "HIGH", "value": payments.count, "threshold": 10,
                    "paymentId": id, "windowStart": start, "windowEnd": end});
                put(&mut results, "bss.fraud.alerts", alert);
            }
            let risks =
                [(payments.count > 10, 30), (payments.total > 10_000.0, 40), (payments.locations.len() > 3, 30)];
            let score: u64 = risks.iter().filter(|(there, _)| *there).map(|(_, points)| points).sum();
            if score > 75 && !payments.is_high {
                payments.is_high = true;
                let risk = json!({"customerId": customer, "score": score, "payments": payments.count,
                    "total": payments.total, "locations": payments.locations.len(), "windowStart": start, "windowEnd": end});
                put(&mut results, "bss.fraud.high-risk", risk);
            }
        }
        let (count, total) = history.entry(customer.to_owned()).or_default();
        let threshold = 5.0 * (*total / *count as f64);
        if *count > 0 && amount > threshold {
            let text = id.as_str().expect("the sample has unusual payments with a text as id only");
            let alert = json!({"alertId": format!("UNUSUAL_AMOUNT:{customer}:{text}"), "customerId": customer,
                "type": "UNUSUAL_AMOUNT", "severity": "MEDIUM", "value": amount, "threshold": threshold, "paymentId": id});
            put(&mut results, "bss.fraud.alerts", alert);
        }
        (*count, *total) = (*count + 1, *total + amount);
    }
    results
}

pub(crate) fn recommendations(lines: &[Value]) -> Results {
    let mut results = Results::new();
    let mut windows = Windows::of(60 * MINUTE);
    let mut views: BTreeMap<(String, i64), u64> = BTreeMap::new();
    let mut profiles: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for record in read(lines) {
        if record.topic == "bss.customer.events" {
            let weight = match record.text("activityType") {
                Some("VIEW") => 1,
                Some("ADD_TO_CART") => 3,
                Some("PURCHASE") => 5,
                _ => continue,
            };
            if let (Some(customer), Some(category)) = (record.key, record.text("category")) {
                *profiles.entry(customer.to_owned()).or_default().entry(category.to_owned()).or_default() += weight;
            }
            continue;
        }
        if let Some(profile) = record.key.and_then(|customer| profiles.get(customer)) {
            let mut categories: Vec<(&String, &u64)> = profile.iter().collect();
            categories.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            let top: Vec<&String> = categories.into_iter().take(3).map(|(category, _)| category).collect();
            let value = json!({"customerId": record.key, "productId": record.value["productId"],
                "category": record.value["category"], "recommendations": top, "confidence": 0.85, "algorithm": "interest-profile"});
            put(&mut results, "bss.recommendations", value);
        }
        let Some(product) = record.text("productId") else { continue };
        let Some((start, end)) = windows.window(record.time) else { continue };
        let count = views.entry((product.to_owned(), start)).or_default();
        *count += 1;
        let value = json!({"productId": product, "windowStart": start, "windowEnd": end, "views": *count});
        put(&mut results, "bss.products.trending", value);
    }
    results
}

pub(crate) fn pricing(lines: &[Value]) -> Results {
    let mut results = Results::new();
    let mut windows = Windows::of(15 * MINUTE);
    let mut orders: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for record in read(lines) {
        let (Some(price), Some(product)) = (record.over_zero("unitPrice"), record.text("productId")) else { continue };
        let Some((start, end)) = windows.window(record.time) else { continue };
        let count = orders.entry((product.to_owned(), start)).or_default();
        *count += 1;
        let factor = *count as f64 / 50.0;
        let recommended = (price * (1.0 + (factor - 1.0) * 0.1)).min(price * 1.10);
        let value = json!({"productId": product, "windowStart": start, "windowEnd": end, "orders": *count,
            "expected": 50, "demandFactor": factor, "basePrice": price, "recommendedPrice": recommended});
        put(&mut results, "bss.pricing.recommendations", value);
    }
    results
}

/// The records of a sample that are dead letters: their topics and offsets.
pub(crate) fn letters(pipeline: &str, lines: &[Value]) -> BTreeSet<(String, u64)> {
    let mut offsets: BTreeMap<&str, u64> = BTreeMap::new();
    let mut letters = BTreeSet::new();
    for line in lines {
        let topic = line["topic"].as_str().unwrap();
        let offset = offsets.entry(topic).or_default();
        if is_invalid(pipeline, topic, line) {
            letters.insert((topic.to_owned(), *offset));
        }
        *offset += 1;
    }
    letters
}

fn is_invalid(pipeline: &str, topic: &str, line: &Value) -> bool {
    // Bytes that aren't JSON stand in the sample as base64, as do keys that aren't text.
    let (Some(key), Some(value)) = (line.get("key"), line.get("value")) else { return true };
    if !value.is_object() {
        return !(topic == "bss.customer.info" && value.is_null());
    }
    let is_over_zero = |name: &str| value[name].as_f64().is_some_and(|number| number > 0.0);
    match (pipeline, topic) {
        ("customer-activity", _) => !value["activityType"].is_string(),
        ("order-enrichment", "bss.order.events") => !is_over_zero("amount") || value["customerId"].is_null(),
        ("fraud-scoring", _) => !is_over_zero("amount") || key.is_null(),
        ("recommendations", "bss.customer.events") => {
            value["category"].is_string() && !value["activityType"].is_string()
        }
        ("dynamic-pricing", _) => !is_over_zero("unitPrice"),
        _ => false,
    }
}

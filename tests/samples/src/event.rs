//! A line of the sample.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Topic of new orders, and of the pipeline's results.
pub(crate) const ORDERS: &str = "orders";
/// Topic of what the payment service decides.
pub(crate) const PAYMENTS: &str = "payment-orders";
/// Topic of what the stock service decides.
pub(crate) const STOCK: &str = "stock-orders";

/// A key or a value.
#[derive(Clone)]
pub(crate) enum Field {
    /// JSON text; for a key a number.
    Json(String),
    /// Raw bytes.
    Raw(Vec<u8>),
    /// Kafka's null.
    Null,
}

impl Field {
    fn text(&self, name: &str) -> String {
        match self {
            Self::Json(text) => format!(r#""{name}":{text}"#),
            Self::Raw(bytes) => format!(r#""{name}Base64":"{}""#, BASE64_STANDARD.encode(bytes)),
            Self::Null => format!(r#""{name}":null"#),
        }
    }
}

/// A record with the time it arrives at, which decides the order of lines.
#[derive(Clone)]
pub(crate) struct Event {
    /// Time of arrival in milliseconds since the epoch.
    pub arrival: i64,
    pub topic: &'static str,
    pub key: Field,
    pub value: Field,
    /// Event time in milliseconds since the epoch.
    pub timestamp: i64,
    /// JSON text of the headers, where there are any.
    pub headers: Option<&'static str>,
}

impl Event {
    /// An event that arrives when it happens.
    pub(crate) fn new(topic: &'static str, id: i64, value: String, timestamp: i64) -> Self {
        let (key, value) = (Field::Json(id.to_string()), Field::Json(value));
        Self { arrival: timestamp, topic, key, value, timestamp, headers: None }
    }

    /// The same with a text as key.
    pub(crate) fn of(topic: &'static str, key: &str, value: String, timestamp: i64) -> Self {
        let (key, value) = (Field::Json(format!("\"{key}\"")), Field::Json(value));
        Self { arrival: timestamp, topic, key, value, timestamp, headers: None }
    }

    /// The event as a line with its newline.
    pub(crate) fn line(&self) -> String {
        let headers = self.headers.map(|headers| format!(r#","headers":{headers}"#)).unwrap_or_default();
        let (key, value) = (self.key.text("key"), self.value.text("value"));
        format!("{{\"topic\":\"{}\",{key},{value},\"timestamp\":{}{headers}}}\n", self.topic, self.timestamp)
    }
}

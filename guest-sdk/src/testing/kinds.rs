//! Objects in which one field is missing, or is of another type.

use crate::doc::Doc;

/// A JSON object once without a field, and once with a value of each type in its place. Each comes with the name of
/// what is there: `missing`, `null`, `text` (`"x"`), `bool` (`true`), `number` (`7`), `array` (`[]`) or `object`
/// (`{}`).
///
/// With it, a test goes through all fields that a rule may find otherwise than it should:
///
/// ```
/// use millrace_sdk::prelude::*;
/// use millrace_sdk::testing::{Bench, Record, kinds};
///
/// #[transform]
/// fn paid(payment: Doc) -> Result<Unchanged> {
///     payment.f64("amount").map(|_| Unchanged)
/// }
///
/// plugin! { name: "paid", functions: [paid] }
///
/// # fn main() {
/// for (field, good) in [("amount", vec!["number"]), ("note", vec!["missing", "null", "text", "bool", "number", "array", "object"])] {
///     for (kind, payment) in kinds(r#"{"amount":5,"note":"tea"}"#, field) {
///         let outcome = Bench::new(&PLUGIN).transform("paid", &[Record::new("ann", payment)]).remove(0);
///         assert_eq!(outcome.is_good(), good.contains(&kind), "{field}: {kind}");
///     }
/// }
/// # }
/// ```
///
/// # Panics
/// If the text isn't a JSON object.
#[allow(clippy::expect_used, reason = "a test bench")]
pub fn kinds(object: &str, field: &str) -> Vec<(&'static str, String)> {
    let object = Doc::parse(object).expect("a JSON object");
    let without = || {
        let mut object = object.clone();
        object.remove(field);
        object
    };
    let with = |value: serde_json::Value| {
        let mut object = object.clone();
        object.set_json(field, &value).expect("a JSON value");
        object
    };
    let kinds = [
        ("missing", without()),
        ("null", with(serde_json::Value::Null)),
        ("text", with("x".into())),
        ("bool", with(true.into())),
        ("number", with(7.into())),
        ("array", with(serde_json::json!([]))),
        ("object", with(serde_json::json!({}))),
    ];
    kinds.map(|(kind, object)| (kind, object.to_string())).into()
}

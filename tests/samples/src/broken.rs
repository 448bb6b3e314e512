//! Records that no rule can work on, for each topic of the analytics.

use crate::event::{Event, Field};

/// Records without a key, without a value, of bytes that aren't JSON, of JSON that isn't an object, and of another system.
/// The first comes at `start`, the others every `gap` milliseconds.
pub(crate) fn append(events: &mut Vec<Event>, topic: &'static str, good: &str, start: i64, gap: i64) {
    let event = |number: usize| Event::of(topic, "c-01", good.to_owned(), start + gap * number as i64);
    let keys = [Field::Null, Field::Raw(vec![0xff, 0xfe]), Field::Json("\"\"".into())];
    let cut = good.get(..good.len() / 2).unwrap_or_default();
    let values = [
        Field::Null,
        Field::Raw(Vec::new()),
        Field::Raw(b"not JSON".to_vec()),
        Field::Raw(cut.as_bytes().to_vec()),
        Field::Raw(vec![0xff, 0x00, 0x01]),
        Field::Json("[]".into()),
        Field::Json("42".into()),
        Field::Json("{}".into()),
        Field::Json(format!("{good:?}")),
        Field::Json(r#"{"id":7,"status":"ACCEPT","source":"PAYMENT"}"#.into()),
    ];
    let first = keys.len();
    events.extend(keys.into_iter().enumerate().map(|(number, key)| Event { key, ..event(number) }));
    events.extend(values.into_iter().enumerate().map(|(number, value)| Event { value, ..event(first + number) }));
}

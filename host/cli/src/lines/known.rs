//! Headers that are known to hold big-endian integers: lines have them as numbers.

use bytes::Bytes;
use millrace_engine::record::{Header, Headers, Window};

/// How wide the number in a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Four,
    Eight,
}

/// The bounds of a window, as sinks write them.
const START: &str = Window::HEADERS[0];
const END: &str = Window::HEADERS[1];

/// The width of the number in a header of this name; `None` if it isn't known to hold one.
fn width(name: &[u8]) -> Option<Width> {
    match std::str::from_utf8(name).ok()? {
        START | END | "kafka_dlt-original-offset" | "kafka_dlt-original-timestamp" => Some(Width::Eight),
        "kafka_dlt-original-partition" => Some(Width::Four),
        _ => None,
    }
}

/// The number in a header, if it is known to hold one.
pub(super) fn number(name: &[u8], value: &[u8]) -> Option<i64> {
    match width(name)? {
        Width::Four => value.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).into()),
        Width::Eight => value.try_into().ok().map(i64::from_be_bytes),
    }
}

/// The bytes of a number in a header of this name. An error says why it can't hold the number.
pub(super) fn bytes(name: &[u8], number: i64) -> Result<Bytes, String> {
    let shown = String::from_utf8_lossy(name);
    match width(name) {
        Some(Width::Eight) => Ok(Bytes::copy_from_slice(&number.to_be_bytes())),
        Some(Width::Four) => i32::try_from(number)
            .map(|number| Bytes::copy_from_slice(&number.to_be_bytes()))
            .map_err(|_| format!("{number} is more than the 4 bytes of the header {shown:?} hold")),
        None => Err(format!(
            "{number} for {shown:?}: only headers that are known to hold numbers take one, such as {START:?}; as text it is \
             \"{number}\""
        )),
    }
}

/// The window in the last two headers, as sinks write them, and the other headers.
pub(super) fn split(headers: &Headers) -> Option<(Headers, Window)> {
    let (last, others) = headers.as_slice().split_last()?;
    let (first, others) = others.split_last()?;
    let bound = |header: &Header, name: &str| match &header.value {
        Some(value) if header.name == name.as_bytes() => number(&header.name, value),
        _ => None,
    };
    let window = Window { start: bound(first, START)?, end: bound(last, END)? };
    Some((others.to_vec().into(), window))
}

/// The headers, then those of the window.
pub(super) fn join(headers: Headers, window: Option<Window>) -> Headers {
    let Some(window) = window else { return headers };
    let bounds = [(START, window.start), (END, window.end)];
    let bounds = bounds.map(|(name, time)| Header::new(name, Bytes::copy_from_slice(&time.to_be_bytes())));
    headers.as_slice().iter().cloned().chain(bounds).collect::<Vec<_>>().into()
}

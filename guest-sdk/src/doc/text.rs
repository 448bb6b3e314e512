//! Strings of JSON: removes and adds escapes.

use std::borrow::Cow;

/// The text of a JSON string, whose syntax was checked before, given without its quotes. The error names the escape
/// that isn't text: half of a surrogate pair is legal JSON, but no character.
pub(super) fn unescape(raw: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    let raw = std::str::from_utf8(raw).map_err(|_| "invalid UTF-8")?;
    if !raw.contains('\\') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, after) = escaped(escape)?;
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// The character of an escape, and the text behind it. `escape` begins after the backslash.
fn escaped(escape: &str) -> Result<(char, &str), &'static str> {
    let mut rest = escape.chars();
    let character = match rest.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode(rest.as_str()),
        Some(itself) => itself,
        None => return Err("unfinished escape"),
    };
    Ok((character, rest.as_str()))
}

fn unicode(digits: &str) -> Result<(char, &str), &'static str> {
    const LONE: &str = "half of a surrogate pair";
    let (first, rest) = hex(digits)?;
    if !(0xd800..0xe000).contains(&first) {
        return Ok((char::from_u32(first).ok_or(LONE)?, rest));
    }
    let (second, rest) = hex(rest.strip_prefix("\\u").ok_or(LONE)?)?;
    if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
        return Err(LONE);
    }
    let point = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(point).ok_or(LONE)?, rest))
}

fn hex(digits: &str) -> Result<(u32, &str), &'static str> {
    let (four, rest) = digits.split_at_checked(4).ok_or("unfinished escape")?;
    Ok((u32::from_str_radix(four, 16).map_err(|_| "invalid escape")?, rest))
}

/// Writes `text` as a JSON string without quotes. Returns whether it needed escapes.
pub(super) fn escape(text: &str, mut put: impl FnMut(&[u8])) -> bool {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let long;
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x8 => b"\\b",
            0xc => b"\\f",
            0..0x20 => {
                let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                long = [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xf)];
                &long
            }
            _ => continue,
        };
        put(bytes.get(done..at).unwrap_or_default());
        put(escape);
        done = at + 1;
    }
    put(bytes.get(done..).unwrap_or_default());
    done > 0
}

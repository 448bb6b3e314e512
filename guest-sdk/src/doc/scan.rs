//! One pass over the text of a JSON object that checks the text and notes the places of its fields.

use super::{Field, Fields};

/// Maximum depth of nested arrays and objects, the outermost counted.
const MAX_DEPTH: u32 = 128;

/// Why a text isn't a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Offset of the wrong byte.
    pub(super) at: usize,
    /// The mistake.
    pub(super) what: &'static str,
}

/// Checks that `text` is one JSON object in UTF-8, without white space around it, and adds its fields to `fields`.
pub(super) fn object(text: &[u8], fields: &mut Fields) -> Result<(), Fault> {
    let mut scanner = Scanner { text, at: 0, ascii: true };
    scanner.fields(fields)?;
    if scanner.at != text.len() {
        return Err(scanner.fault("unexpected text after the object"));
    }
    if !scanner.ascii
        && let Err(error) = std::str::from_utf8(text)
    {
        return Err(Fault { at: error.valid_up_to(), what: "invalid UTF-8" });
    }
    Ok(())
}

/// The steps of the scanner are inlined into one loop, so that the position stays in a register: in a guest this makes
/// the rule of order-status 11% faster.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether all bytes of strings so far were ASCII: then UTF-8 needs no check.
    ascii: bool,
}

impl Scanner<'_> {
    fn fields(&mut self, fields: &mut Fields) -> Result<(), Fault> {
        self.expect(b'{', "expected `{`")?;
        self.space();
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let (key_start, key_end, escaped) = self.key()?;
            let value_start = self.at;
            self.value()?;
            fields.push(Field::found(key_start..key_end, escaped, value_start..self.at));
            self.space();
            if self.eat(b',') {
                self.space();
            } else {
                return self.expect(b'}', "expected `,` or `}`");
            }
        }
    }

    /// A key with its quotes, the colon and the space around it. Returns the bounds of the key's text without quotes,
    /// and whether it has escapes.
    #[inline(always)]
    fn key(&mut self) -> Result<(usize, usize, bool), Fault> {
        self.expect(b'"', "expected a field name in quotes")?;
        let start = self.at;
        let escaped = self.string()?;
        let end = self.at.saturating_sub(1);
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        Ok((start, end, escaped))
    }

    #[inline(always)]
    fn value(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{' | b'[') => self.nested(),
            _ => self.scalar(),
        }
    }

    #[inline(always)]
    fn scalar(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string().map(drop)
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            None => Err(self.fault("unexpected end")),
            Some(_) => Err(self.fault("expected a value")),
        }
    }

    /// An array or object, without recursion: one bit for each level is set for an object.
    #[inline(never)]
    fn nested(&mut self) -> Result<(), Fault> {
        let (mut objects, mut depth) = (0_u128, 1_u32);
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(self.fault("nested too deeply"));
                    }
                    self.at += 1;
                    self.space();
                    let object = open == b'{';
                    if !self.eat(if object { b'}' } else { b']' }) {
                        (objects, depth) = (objects << 1 | u128::from(object), depth + 1);
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            if self.close(&mut objects, &mut depth)? {
                return Ok(());
            }
        }
    }

    /// After a value in `nested`: closes the arrays and objects that end here. Returns true if all are closed, and
    /// false if another value comes.
    fn close(&mut self, objects: &mut u128, depth: &mut u32) -> Result<bool, Fault> {
        while *depth > 1 {
            self.space();
            let object = *objects & 1 == 1;
            match (self.peek(), object) {
                (Some(b','), _) => {
                    self.at += 1;
                    self.space();
                    if object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    (*objects, *depth) = (*objects >> 1, *depth - 1);
                }
                (_, true) => return Err(self.fault("expected `,` or `}`")),
                (_, false) => return Err(self.fault("expected `,` or `]`")),
            }
        }
        Ok(true)
    }

    #[inline(always)]
    fn number(&mut self) -> Result<(), Fault> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Fault> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.fault("expected a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        if !self.rest().starts_with(word) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// The rest of a string after its opening quote, the closing one included. Returns whether it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Result<bool, Fault> {
        let mut escaped = false;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                None => return Err(self.fault("unexpected end in a string")),
                Some(_) => return Err(self.fault("control character in a string")),
            }
        }
    }

    /// Moves on to the next quote, backslash or control character, eight bytes at a time.
    #[inline(always)]
    fn plain(&mut self) {
        while let Some(chunk) = self.rest().first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let stops = stops(word);
            // Bytes after the stop count here too: at worst UTF-8 is checked without need.
            self.ascii &= word & HIGH == 0;
            if stops != 0 {
                self.at += stops.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = self.peek() {
            if matches!(byte, b'"' | b'\\' | 0..0x20) {
                return;
            }
            self.ascii &= byte < 0x80;
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.rest() {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
            [_, b'u', digits @ ..] if digits.iter().take(4).filter(|digit| digit.is_ascii_hexdigit()).count() == 4 => {
                self.at += 6;
            }
            _ => return Err(self.fault("invalid escape in a string")),
        }
        Ok(())
    }

    #[inline(always)]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.eat(byte) {
            return Ok(());
        }
        Err(self.fault(if self.at == self.text.len() { "unexpected end" } else { what }))
    }

    #[inline(always)]
    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline(always)]
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    #[cold]
    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Sets the high bit of each byte that is a quote, a backslash or below 0x20. Bytes above the lowest such one may
/// be wrong: see "Determine if a word has a zero byte" in Anderson's Bit Twiddling Hacks.
fn stops(word: u64) -> u64 {
    let quote = word ^ (LOW * 0x22);
    let backslash = word ^ (LOW * 0x5c);
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    let quote = quote.wrapping_sub(LOW) & !quote;
    let backslash = backslash.wrapping_sub(LOW) & !backslash;
    (control | quote | backslash) & HIGH
}

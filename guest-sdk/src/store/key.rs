//! Keys of stores, as bytes that sort in the order of the keys.

use crate::error::{Error, Result, codes};

/// A key of a store: text, bytes, an integer, or a pair of these.
///
/// The bytes sort in the order of the keys: integers are big-endian, with the sign bit flipped for `i64`. In the first
/// place of a pair, text and bytes have 0xff after each zero byte and end with two zero bytes; elsewhere they are
/// unchanged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the key of a store",
    note = "keys are `String`, `Vec<u8>`, `i64`, `u64`, or pairs of these"
)]
pub trait StoreKey: Sized {
    /// Appends the key, with nothing to follow it.
    fn write(&self, out: &mut Vec<u8>);

    /// Appends the key so that more bytes may follow it.
    fn write_part(&self, out: &mut Vec<u8>) {
        self.write(out);
    }

    /// Reads the key from bytes that hold nothing else.
    ///
    /// # Errors
    /// `bad-state` if the bytes are no such key.
    fn read(bytes: &[u8]) -> Result<Self>;

    /// Reads the key, and returns it with the bytes that follow it.
    ///
    /// # Errors
    /// As [`read`](StoreKey::read).
    fn read_part(bytes: &[u8]) -> Result<(Self, &[u8])>;

    /// The bytes of the key.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }
}

impl StoreKey for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn write_part(&self, out: &mut Vec<u8>) {
        for &byte in self {
            out.push(byte);
            if byte == 0 {
                out.push(0xff);
            }
        }
        out.extend([0, 0]);
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        Ok(bytes.to_vec())
    }

    fn read_part(mut bytes: &[u8]) -> Result<(Self, &[u8])> {
        let mut key = Self::new();
        loop {
            bytes = match bytes {
                [0, 0, rest @ ..] => return Ok((key, rest)),
                [0, 0xff, rest @ ..] => {
                    key.push(0);
                    rest
                }
                [byte, rest @ ..] if *byte != 0 => {
                    key.push(*byte);
                    rest
                }
                _ => return Err(bad()),
            };
        }
    }
}

impl StoreKey for String {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn write_part(&self, out: &mut Vec<u8>) {
        self.as_bytes().to_vec().write_part(out);
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        Self::from_utf8(bytes.to_vec()).map_err(|_| bad())
    }

    fn read_part(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let (key, rest) = Vec::read_part(bytes)?;
        Ok((Self::from_utf8(key).map_err(|_| bad())?, rest))
    }
}

impl StoreKey for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        Ok(Self::from_be_bytes(bytes.try_into().map_err(|_| bad())?))
    }

    fn read_part(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let (key, rest) = bytes.split_first_chunk().ok_or_else(bad)?;
        Ok((Self::from_be_bytes(*key), rest))
    }
}

const SIGN: u64 = 1 << 63;

impl StoreKey for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        (self.cast_unsigned() ^ SIGN).write(out);
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        Ok((u64::read(bytes)? ^ SIGN).cast_signed())
    }

    fn read_part(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let (key, rest) = u64::read_part(bytes)?;
        Ok(((key ^ SIGN).cast_signed(), rest))
    }
}

impl<A: StoreKey, B: StoreKey> StoreKey for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write_part(out);
        self.1.write(out);
    }

    fn write_part(&self, out: &mut Vec<u8>) {
        self.0.write_part(out);
        self.1.write_part(out);
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let (first, rest) = A::read_part(bytes)?;
        Ok((first, B::read(rest)?))
    }

    fn read_part(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let (first, rest) = A::read_part(bytes)?;
        let (second, rest) = B::read_part(rest)?;
        Ok(((first, second), rest))
    }
}

#[cold]
fn bad() -> Error {
    Error::permanent(codes::BAD_STATE, "a key in the store isn't of the store's key type")
}

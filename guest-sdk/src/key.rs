//! Typed keys.

use std::ops::Deref;

use crate::bindings::base::exports::millrace::plugin::meta::KeyCodec;
use crate::error::{Error, Result, codes};

/// The key of a record, as an argument of a rule. The rule's type decides how the key is read. The host checks the
/// type against the codec of the source when the plugin is deployed.
///
/// | type | bytes |
/// |---|---|
/// | `Key<i64>` | 8, big-endian |
/// | `Key<String>` | UTF-8 |
/// | `Key<Vec<u8>>` | any |
///
/// A record without a key fails with the code `null-key`, unless the rule takes an `Option<Key<..>>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<K>(pub K);

impl<K> Deref for Key<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.0
    }
}

/// A type of keys.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a record key",
    note = "keys are `i64` (8 bytes, big-endian), `String` (UTF-8) or `Vec<u8>` (any bytes)"
)]
pub trait KeyType: Sized {
    /// Its codec in the manifest.
    #[doc(hidden)]
    const CODEC: KeyCodec;

    /// Reads a key.
    ///
    /// # Errors
    /// `bad-key` if the bytes aren't of the type.
    fn decode(bytes: &[u8]) -> Result<Self>;

    /// Appends the bytes of a key.
    fn encode(&self, out: &mut Vec<u8>);
}

impl KeyType for i64 {
    const CODEC: KeyCodec = KeyCodec::I64;

    fn decode(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.try_into().map_err(|_| {
            Error::permanent(codes::BAD_KEY, format!("key: {} bytes, expected the 8 of an i64", bytes.len()))
        })?;
        Ok(Self::from_be_bytes(bytes))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl KeyType for String {
    const CODEC: KeyCodec = KeyCodec::Text;

    fn decode(bytes: &[u8]) -> Result<Self> {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| Error::permanent(codes::BAD_KEY, format!("key: {error}")))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl KeyType for Vec<u8> {
    const CODEC: KeyCodec = KeyCodec::Bytes;

    fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(bytes.to_vec())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

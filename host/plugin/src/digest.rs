//! Digests as text.

use sha2::{Digest, Sha256};

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest of a component, as in [`Plugin::digest`](crate::Plugin::digest).
pub fn digest_of(component: &[u8]) -> String {
    hex(&Sha256::digest(component))
}

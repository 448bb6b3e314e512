//! The types of values in stores.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, codes};

/// A type of values in a store. They are kept as JSON, with the version of their format.
///
/// Raise [`VERSION`](State::VERSION) if the type can no longer read older values, or would misread them. Then
/// [`READS`](State::READS) lists the older versions, and [`upgrade`](State::upgrade) reads them: when a record touches
/// the value, or when the host has all values of the store rewritten.
///
/// ```
/// use millrace_sdk::prelude::*;
/// use millrace_sdk::serde_json;
///
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Seen {
///     count: u64,
///     last: i64,
/// }
///
/// impl State for Seen {
///     const VERSION: u32 = 2;
///     const READS: &[u32] = &[1];
///     // So that the version before can go on with the state after a rollback.
///     const WRITES: &[u32] = &[1];
///
///     // Version 1 was the bare count.
///     fn upgrade(version: u32, bytes: &[u8]) -> Result<Self> {
///         match version {
///             1 => Ok(Self { count: serde_json::from_slice(bytes)?, last: 0 }),
///             _ => Err(no_upgrade(version)),
///         }
///     }
///
///     fn downgrade(&self, _version: u32) -> Result<Vec<u8>> {
///         Ok(serde_json::to_vec(&self.count)?)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept in a store",
    note = "give it a version: `impl State for {Self} {{ const VERSION: u32 = 1; }}`, and let it derive `serde::Serialize` and `serde::Deserialize`"
)]
pub trait State: Serialize + DeserializeOwned {
    /// The version of the format. Values are written in it, unless the host asks for an older one.
    const VERSION: u32;
    /// Older versions that [`upgrade`](State::upgrade) reads.
    const READS: &'static [u32] = &[];
    /// Older versions that [`downgrade`](State::downgrade) writes, so that a deployment can be rolled back.
    const WRITES: &'static [u32] = &[];

    /// Reads a value of an older version.
    ///
    /// # Errors
    /// The value can't be read.
    fn upgrade(version: u32, _bytes: &[u8]) -> Result<Self> {
        Err(no_upgrade(version))
    }

    /// Writes a value of an older version.
    ///
    /// # Errors
    /// The value can't be written in that version.
    fn downgrade(&self, version: u32) -> Result<Vec<u8>> {
        Err(Error::permanent(codes::BAD_STATE, format!("state can't be written in version {version}")))
    }
}

/// The error of [`State::upgrade`] about an unknown version.
pub fn no_upgrade(version: u32) -> Error {
    Error::permanent(codes::BAD_STATE, format!("state is of version {version}, which this plugin can't read"))
}

/// Reads a state of any version.
pub(crate) fn decode<S: State>(version: u32, bytes: &[u8]) -> Result<S> {
    if version != S::VERSION {
        return S::upgrade(version, bytes);
    }
    serde_json::from_slice(bytes).map_err(bad_state)
}

/// Refuses a state that can't be read again: a number that isn't finite is written as null. A text without null needs
/// no check.
fn check<S: State>(written: &[u8]) -> Result<()> {
    if has_null(written) {
        serde_json::from_slice::<S>(written).map_err(bad_state)?;
    }
    Ok(())
}

/// Whether a text has the word. One of the word's four letters is at a place that four divides, so most texts are
/// passed over in a quarter of the steps.
fn has_null(text: &[u8]) -> bool {
    let may_have = text.iter().step_by(4).any(|letter| matches!(letter, b'n' | b'u' | b'l'));
    may_have && text.windows(4).any(|word| word == b"null")
}

#[cold]
fn bad_state(error: serde_json::Error) -> Error {
    Error::permanent(codes::BAD_STATE, format!("state: {error}"))
}

/// Appends a state in the requested version, or in the newest. Returns the version.
pub(crate) fn encode<S: State>(state: &S, version: Option<u32>, out: &mut Vec<u8>) -> Result<u32> {
    match version {
        Some(older) if older != S::VERSION => {
            out.extend(state.downgrade(older)?);
            Ok(older)
        }
        _ => {
            let start = out.len();
            serde_json::to_writer(&mut *out, state).map_err(bad_state)?;
            check::<S>(out.get(start..).unwrap_or_default())?;
            Ok(S::VERSION)
        }
    }
}

/// Reads a state of any version, and appends it in the requested version, or in the newest. Returns the version.
pub(crate) fn rewrite<S: State>(from: u32, bytes: &[u8], to: Option<u32>, out: &mut Vec<u8>) -> Result<u32> {
    encode(&decode::<S>(from, bytes)?, to, out)
}

macro_rules! plain {
    ($($type:ty)*) => {$(
        impl State for $type {
            const VERSION: u32 = 1;
        }
    )*};
}
plain!(bool i64 u64 String);

#[cfg(test)]
mod tests {
    use super::has_null;

    #[test]
    fn null_is_found_at_every_place() {
        for place in 0..9 {
            let mut text = vec![b'1'; place];
            text.extend_from_slice(b"null");
            assert!(has_null(&text), "{place}");
            text.extend_from_slice(b"111");
            assert!(has_null(&text), "{place}");
            text.remove(place);
            assert!(!has_null(&text), "{place}");
        }
        assert!(!has_null(b""));
    }
}

//! Rows of global tables. A driver reads their topics itself, because every instance has all of their partitions; what a
//! record means for the table is said here.

use bytes::Bytes;

use crate::operators::misfit;
use crate::record::InputRecord;
use crate::state::keys::encode_row;
use crate::topology::GlobalTable;

/// Why a record is no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// It has no key.
    #[error("a table needs a key, and the record has none")]
    NullKey,
    /// Key or value don't fit their codecs.
    #[error("{text}")]
    Misfit {
        /// `bad-key` or `bad-value`.
        code: String,
        /// What is wrong.
        text: String,
    },
}

impl LeftOut {
    /// Label of a metric.
    pub fn code(&self) -> &str {
        match self {
            Self::NullKey => "null-key",
            Self::Misfit { code, .. } => code,
        }
    }
}

/// The key that a record sets in the table's store, with its new row; `None` deletes it.
///
/// # Errors
/// It is no row: the driver leaves it out.
pub fn row(table: &GlobalTable, record: &InputRecord) -> Result<(Bytes, Option<Bytes>), LeftOut> {
    let Some(key) = record.key.clone() else { return Err(LeftOut::NullKey) };
    if let Some(failure) = misfit(Some(&key), record.value.as_ref(), table.key, table.value) {
        return Err(LeftOut::Misfit { code: failure.code, text: failure.text });
    }
    Ok((key, record.value.as_ref().map(|value| encode_row(record.timestamp, value))))
}

//! Global tables: the change of a row by a record of the table's topic. Drivers keep the rows, because every instance
//! has all of them, and no row may change during a transaction of a task.

use bytes::Bytes;

use crate::codec::{CodecMismatch, mismatch};
use crate::record::InputRecord;
use crate::state::keys::encode_row;
use crate::topology::GlobalTable;

/// Why a record of a global table's topic is dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRow {
    /// The record has no key.
    #[error("a table needs a key, and the record has none")]
    NullKey,
    /// The key doesn't match its codec.
    #[error("{0}")]
    BadKey(String),
    /// The value doesn't match its codec.
    #[error("{0}")]
    BadValue(String),
}

impl NoRow {
    /// The code in counters: `null-key`, `bad-key` or `bad-value`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NullKey => "null-key",
            Self::BadKey(_) => "bad-key",
            Self::BadValue(_) => "bad-value",
        }
    }
}

/// The key of the row that a record changes, and the encoded row; `None` deletes the row. The last record of a key
/// counts, whatever its timestamp, as in all tables, and in Kafka Streams' global tables.
///
/// ```
/// use millrace_engine::global::row;
/// use millrace_engine::manifest::KeyCodec;
/// use millrace_engine::ports::StoreId;
/// use millrace_engine::record::{Headers, InputRecord, TimestampType};
/// use millrace_engine::topology::{GlobalTable, TopicId, ValueCodec};
///
/// let (key, value) = (KeyCodec::String, ValueCodec::Json);
/// let table = GlobalTable { name: "countries".into(), topic: TopicId(0), key, value, store: StoreId(0) };
/// let record = |value: Option<&'static str>| InputRecord {
///     offset: 0,
///     timestamp: 7,
///     timestamp_type: TimestampType::CreateTime,
///     key: Some("pl".into()),
///     value: value.map(Into::into),
///     headers: Headers::EMPTY,
///     arrived: 8,
///     turn: 0,
/// };
/// assert!(matches!(row(&table, &record(Some("{}"))), Ok((key, Some(_))) if key == "pl"));
/// assert_eq!(row(&table, &record(None)), Ok(("pl".into(), None)));
/// assert_eq!(row(&table, &record(Some("{"))).map_err(|why| why.code()), Err("bad-value"));
/// ```
///
/// # Errors
/// The record is not a row of the table.
pub fn row(table: &GlobalTable, record: &InputRecord) -> Result<(Bytes, Option<Bytes>), NoRow> {
    match mismatch((record.key.as_ref(), record.value.as_ref()), (table.key, table.value)) {
        Some(CodecMismatch::Key(text)) => return Err(NoRow::BadKey(text)),
        Some(CodecMismatch::Value(text)) => return Err(NoRow::BadValue(text)),
        None => {}
    }
    let key = record.key.clone().ok_or(NoRow::NullKey)?;
    Ok((key, record.value.as_ref().map(|value| encode_row(record.timestamp, None, value))))
}

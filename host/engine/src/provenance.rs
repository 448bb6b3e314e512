//! The origin of a record and its table row, which internal headers carry through repartition topics.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::record::{Header, Headers, Timestamp, TimestampType};
use crate::row::Row;

/// Names of internal headers. Guests don't get them, and sinks don't write them.
const HEADER: &[u8] = b"__millrace.origin";
const ROW: &[u8] = b"__millrace.row";

fn is_ours(header: &Header) -> bool {
    header.name == HEADER || header.name == ROW
}

/// The record of an external topic that another record comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) topic: Bytes,
    pub(crate) partition: u32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
    pub(crate) timestamp_type: TimestampType,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topic, Self { partition, offset, .. }) = (String::from_utf8_lossy(&self.topic), self);
        write!(out, "topic `{topic}`, partition {partition}, offset {offset}")
    }
}

impl Origin {
    /// Adds the origin to the headers of a record for a repartition topic.
    pub(crate) fn attach(&self, headers: &Headers) -> Headers {
        let mut all = headers.as_slice().to_vec();
        all.push(Header::new(Bytes::from_static(HEADER), self.encode()));
        all.into()
    }

    /// Separates the origin from the headers of a record of a repartition topic.
    pub(crate) fn detach(headers: &Headers) -> Option<(Self, Headers)> {
        let origin = Self::decode(headers.last(HEADER)?.value.clone()?)?;
        Some((origin, Self::strip(headers)?))
    }

    /// Removes internal headers; `None` if there are none. Only records of repartition topics may have them.
    pub(crate) fn strip(headers: &Headers) -> Option<Headers> {
        let all = headers.as_slice();
        if !all.iter().any(is_ours) {
            return None;
        }
        let others = all.iter().filter(|header| !is_ours(header)).cloned();
        Some(others.collect::<Vec<_>>().into())
    }

    /// The origin as bytes.
    pub(crate) fn encode(&self) -> Bytes {
        let mut value = BytesMut::with_capacity(self.encoded_length());
        value.put_u32(self.partition);
        value.put_i64(self.offset);
        value.put_i64(self.timestamp);
        value.put_u8(u8::from(self.timestamp_type == TimestampType::LogAppendTime));
        value.put_slice(&self.topic);
        value.freeze()
    }

    /// Length of the encoded origin.
    pub(crate) fn encoded_length(&self) -> usize {
        21 + self.topic.len()
    }

    /// The inverse of [`encode`](Self::encode); `None` if the bytes are damaged.
    pub(crate) fn decode(mut value: Bytes) -> Option<Self> {
        let partition = value.try_get_u32().ok()?;
        let offset = value.try_get_i64().ok()?;
        let timestamp = value.try_get_i64().ok()?;
        let appended = value.try_get_u8().ok()? == 1;
        let timestamp_type = if appended { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        Some(Self { topic: value, partition, offset, timestamp, timestamp_type })
    }
}

/// Adds the header for an old or deleted row; `None` for a new row, which has no header. An old row's time is in the
/// header, because the record has the time of the change.
pub(crate) fn attach_row(headers: &Headers, row: Row, timestamp: Timestamp) -> Option<Headers> {
    let value = match row {
        Row::New => return None,
        Row::Old { .. } => Bytes::copy_from_slice(&timestamp.to_be_bytes()),
        Row::Gone => Bytes::new(),
    };
    let mut all = headers.as_slice().to_vec();
    all.push(Header::new(Bytes::from_static(ROW), value));
    Some(all.into())
}

/// The row of a record with these headers and the time `until`, and the row's own time.
pub(crate) fn row(headers: &Headers, until: Timestamp) -> (Row, Timestamp) {
    let value = headers.last(ROW).and_then(|header| header.value.as_deref());
    match value.map(<[u8; 8]>::try_from) {
        None => (Row::New, until),
        Some(Ok(timestamp)) => (Row::Old { until }, Timestamp::from_be_bytes(timestamp)),
        Some(Err(_)) => (Row::Gone, until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_a_repartition_topic_and_other_headers_stay() {
        let origin = Origin {
            topic: Bytes::from_static(b"payments"),
            partition: 3,
            offset: 41,
            timestamp: -7,
            timestamp_type: TimestampType::LogAppendTime,
        };
        let headers: Headers = vec![Header::new("trace", "abc"), Header { name: "null".into(), value: None }].into();
        assert_eq!(Origin::detach(&origin.attach(&headers)), Some((origin.clone(), headers)));
        assert_eq!(Origin::detach(&origin.attach(&Headers::EMPTY)), Some((origin, Headers::EMPTY)));
        assert_eq!(Origin::detach(&Headers::EMPTY), None);
        assert_eq!(Origin::strip(&Headers::EMPTY), None);
    }

    #[test]
    fn the_row_of_a_record_survives_a_repartition_topic() {
        let headers: Headers = vec![Header::new("trace", "abc")].into();
        for (said, timestamp) in [(Row::Old { until: 9 }, 4), (Row::Gone, 9)] {
            let attached = attach_row(&headers, said, timestamp).unwrap_or_default();
            assert_eq!(row(&attached, 9), (said, timestamp));
            assert_eq!(Origin::strip(&attached), Some(headers.clone()));
        }
        assert_eq!(attach_row(&headers, Row::New, 9), None);
        assert_eq!(row(&headers, 9), (Row::New, 9));
    }
}

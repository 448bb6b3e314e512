//! Where a record truly comes from, carried through repartition topics in a header of the host's own.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::record::{Header, Headers, Timestamp, TimestampType};

/// The header's name. Guests don't see it, and sinks don't write it.
const HEADER: &[u8] = b"__millrace.origin";

/// The record of an external topic that something comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) topic: Bytes,
    pub(crate) partition: u32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
    pub(crate) timestamp_type: TimestampType,
}

impl Origin {
    /// The headers of a record on its way into a repartition topic.
    pub(crate) fn attach(&self, headers: &Headers) -> Headers {
        let mut all = headers.as_slice().to_vec();
        all.push(Header::new(Bytes::from_static(HEADER), self.encode()));
        all.into()
    }

    /// The origin of a record from a repartition topic, and its headers without it.
    pub(crate) fn detach(headers: &Headers) -> Option<(Self, Headers)> {
        let origin = Self::decode(headers.last(HEADER)?.value.clone()?)?;
        Some((origin, Self::strip(headers)?))
    }

    /// Headers without ours: outside of repartition topics nobody may have it.
    pub(crate) fn strip(headers: &Headers) -> Option<Headers> {
        headers.last(HEADER)?;
        let others = headers.as_slice().iter().filter(|header| header.name != HEADER).cloned();
        Some(others.collect::<Vec<_>>().into())
    }

    /// As bytes, for who keeps it.
    pub(crate) fn encode(&self) -> Bytes {
        let mut value = BytesMut::with_capacity(21 + self.topic.len());
        value.put_u32(self.partition);
        value.put_i64(self.offset);
        value.put_i64(self.timestamp);
        value.put_u8(u8::from(self.timestamp_type == TimestampType::LogAppendTime));
        value.put_slice(&self.topic);
        value.freeze()
    }

    /// What [`encode`](Self::encode) has written; `None` if the bytes aren't that.
    pub(crate) fn decode(mut value: Bytes) -> Option<Self> {
        let partition = value.try_get_u32().ok()?;
        let offset = value.try_get_i64().ok()?;
        let timestamp = value.try_get_i64().ok()?;
        let appended = value.try_get_u8().ok()? == 1;
        let timestamp_type = if appended { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        Some(Self { topic: value, partition, offset, timestamp, timestamp_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_a_repartition_topic_and_leaves_the_other_headers_as_they_were() {
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
}

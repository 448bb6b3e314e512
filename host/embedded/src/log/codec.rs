//! Blocks of records: the unit in which records are stored, so that hundreds of them share the cost of a read or a
//! write.
//!
//! ```text
//! block   = format u8, count, record*
//! record  = timestamp (minus that of the record before), field (key), field (value), count, header*
//! header  = length, name, field (value)
//! field   = 0 (null) | length + 1, bytes
//! ```
//! Numbers are LEB128; timestamps are zigzag-encoded first. Compression and checksums are the database's.

use bytes::{BufMut, Bytes, BytesMut};
use millrace_engine::record::{Header, Headers};

use crate::log::record::NewRecord;

const FORMAT: u8 = 1;

/// A block is full after this many bytes of records.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;

/// Why bytes aren't a block.
pub(crate) type Invalid = &'static str;

/// Collects records into a block.
#[derive(Default)]
pub(crate) struct BlockWriter {
    records: BytesMut,
    count: u64,
    timestamp: i64,
}

impl BlockWriter {
    /// Adds a record.
    pub(crate) fn push(&mut self, record: &NewRecord) {
        put_number(&mut self.records, zigzag(record.timestamp.wrapping_sub(self.timestamp)));
        put_field(&mut self.records, record.key.as_deref());
        put_field(&mut self.records, record.value.as_deref());
        let headers = record.headers.as_slice();
        put_number(&mut self.records, headers.len() as u64);
        for header in headers {
            put_number(&mut self.records, header.name.len() as u64);
            self.records.put_slice(&header.name);
            put_field(&mut self.records, header.value.as_deref());
        }
        self.timestamp = record.timestamp;
        self.count += 1;
    }

    /// Whether the next record belongs in a new block.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= BLOCK_BYTES
    }

    /// Number of records in it.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Writes the block to `out`, replacing what is there, and begins the next one.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        out.clear();
        out.reserve(self.records.len() + 11);
        out.put_u8(FORMAT);
        put_number(out, self.count);
        out.extend_from_slice(&self.records);
        self.records.clear();
        self.count = 0;
        self.timestamp = 0;
    }
}

/// Reads a block record by record. Keys, values and headers are slices of it.
pub(crate) struct BlockReader {
    rest: Bytes,
    left: u64,
    timestamp: i64,
}

impl BlockReader {
    /// The records of a block.
    pub(crate) fn new(mut block: Bytes) -> Result<Self, Invalid> {
        match take_byte(&mut block)? {
            FORMAT => {}
            _ => return Err("the block of records has an unknown format"),
        }
        let left = take_number(&mut block)?;
        Ok(Self { rest: block, left, timestamp: 0 })
    }

    /// Number of records not read yet.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> Result<Option<NewRecord>, Invalid> {
        if self.left == 0 {
            return if self.rest.is_empty() {
                Ok(None)
            } else {
                Err("the block of records has bytes after its last record")
            };
        }
        self.left -= 1;
        self.timestamp = self.timestamp.wrapping_add(unzigzag(take_number(&mut self.rest)?));
        let key = take_field(&mut self.rest)?;
        let value = take_field(&mut self.rest)?;
        let headers = take_headers(&mut self.rest)?;
        Ok(Some(NewRecord { timestamp: self.timestamp, key, value, headers }))
    }
}

fn take_headers(from: &mut Bytes) -> Result<Headers, Invalid> {
    let count = take_number(from)?;
    // A header takes at least two bytes: a damaged count reserves no more memory than the block could fill.
    let mut headers = Vec::with_capacity(count.min(from.len() as u64 / 2) as usize);
    for _ in 0..count {
        let length = take_number(from)?;
        let name = take_bytes(from, length)?;
        headers.push(Header { name, value: take_field(from)? });
    }
    Ok(headers.into())
}

fn put_field(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => put_number(out, 0),
        Some(bytes) => {
            put_number(out, bytes.len() as u64 + 1);
            out.put_slice(bytes);
        }
    }
}

fn take_field(from: &mut Bytes) -> Result<Option<Bytes>, Invalid> {
    match take_number(from)?.checked_sub(1) {
        None => Ok(None),
        Some(length) => take_bytes(from, length).map(Some),
    }
}

fn take_bytes(from: &mut Bytes, length: u64) -> Result<Bytes, Invalid> {
    match usize::try_from(length) {
        Ok(length) if length <= from.len() => Ok(from.split_to(length)),
        _ => Err(TRUNCATED),
    }
}

const TRUNCATED: Invalid = "the block of records is truncated";

fn put_number(out: &mut impl BufMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn take_number(from: &mut Bytes) -> Result<u64, Invalid> {
    let mut number = 0;
    for (index, byte) in from.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        // Nine bytes hold 63 bits; the tenth holds the last one.
        if index == 9 && bits > 1 {
            break;
        }
        number |= bits << (7 * index);
        if byte & 0x80 == 0 {
            bytes::Buf::advance(from, index + 1);
            return Ok(number);
        }
    }
    Err(if from.len() < 10 { TRUNCATED } else { "a number in the block of records is too large" })
}

fn take_byte(from: &mut Bytes) -> Result<u8, Invalid> {
    let byte = *from.first().ok_or(TRUNCATED)?;
    bytes::Buf::advance(from, 1);
    Ok(byte)
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests;

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use millrace_engine::record::{Header, Headers};
use proptest::prelude::*;

use super::{BlockReader, BlockWriter};
use crate::log::record::NewRecord;

fn write(records: &[NewRecord]) -> Bytes {
    let mut writer = BlockWriter::default();
    records.iter().for_each(|record| writer.push(record));
    let mut block = Vec::new();
    writer.finish(&mut block);
    block.into()
}

fn read(block: Bytes) -> Result<Vec<NewRecord>, &'static str> {
    let mut reader = BlockReader::new(block)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next()? {
        records.push(record);
    }
    Ok(records)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn field() -> impl Strategy<Value = Option<Bytes>> {
    prop::option::of(bytes())
}

prop_compose! {
    fn record()(
        timestamp in any::<i64>(),
        key in field(),
        value in field(),
        headers in prop::collection::vec((bytes(), field()), 0..4),
    ) -> NewRecord {
        let headers: Vec<_> = headers.into_iter().map(|(name, value)| Header { name, value }).collect();
        NewRecord { timestamp, key, value, headers: Headers::from(headers) }
    }
}

proptest! {
    #[test]
    fn a_block_gives_back_the_records_that_were_written(records in prop::collection::vec(record(), 0..20)) {
        prop_assert_eq!(read(write(&records)), Ok(records));
    }

    #[test]
    fn a_truncated_block_is_an_error(records in prop::collection::vec(record(), 1..5), cut in any::<prop::sample::Index>()) {
        let block = write(&records);
        prop_assert!(read(block.slice(..cut.index(block.len()))).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_a_block_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(bytes.into());
    }

    #[test]
    fn a_damaged_block_is_read_or_refused_without_harm(
        records in prop::collection::vec(record(), 1..5),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut block = write(&records).to_vec();
        let at = at.index(block.len());
        *block.get_mut(at).unwrap() = byte;
        let _ = read(block.into());
    }
}

#[test]
fn null_and_empty_fields_differ() {
    let empty = NewRecord::new(0, "", "");
    let null = NewRecord { key: None, value: None, ..empty.clone() };
    assert_eq!(read(write(&[empty.clone(), null.clone()])), Ok(vec![empty, null]));
}

#[test]
fn keys_and_values_are_slices_of_the_block() {
    let block = write(&[NewRecord::new(0, "key", "value")]);
    let value = read(block.clone()).unwrap().remove(0).value.unwrap();
    assert!(block.as_ptr_range().contains(&value.as_ptr()));
}

#[test]
fn a_block_of_a_later_format_is_refused() {
    assert_eq!(read(Bytes::from_static(&[2, 0])), Err("the block of records has an unknown format"));
}

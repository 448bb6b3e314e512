//! Files of records in the inbox.

use bytes::{Buf, BufMut, Bytes};

use super::InboxRecord;
use crate::log::codec::{BlockReader, BlockWriter};
use crate::log::{Log, LogTopicId, NewRecord};

/// The bytes of a file: for each run of records to one partition, the length of the topic's name u16, the name, the
/// partition u32, the length of a block u32, and the block in the log's format.
pub(super) fn encode(records: &[InboxRecord]) -> Vec<u8> {
    let (mut file, mut writer, mut block) = (Vec::new(), BlockWriter::default(), Vec::new());
    let mut records = records.iter().peekable();
    while let Some(record) = records.next() {
        writer.push(&record.record);
        let same = |next: &&&InboxRecord| next.topic == record.topic && next.partition == record.partition;
        if writer.is_full() || records.peek().filter(same).is_none() {
            writer.finish(&mut block);
            file.put_u16(record.topic.len() as u16);
            file.put_slice(record.topic.as_bytes());
            file.put_u32(record.partition);
            file.put_u32(block.len() as u32);
            file.put_slice(&block);
        }
    }
    file
}

/// The next run of records in a file: topic, partition, block.
pub(super) fn decode(file: &mut Bytes) -> Option<(String, u32, Bytes)> {
    let length = usize::from(file.try_get_u16().ok()?);
    let name = (length <= file.len()).then(|| file.split_to(length))?;
    let partition = file.try_get_u32().ok()?;
    let length = file.try_get_u32().ok()? as usize;
    let block = (length <= file.len()).then(|| file.split_to(length))?;
    Some((String::from_utf8(name.to_vec()).ok()?, partition, block))
}

/// A record with the topic and the partition that it is for.
pub(super) type Addressed = (LogTopicId, u32, NewRecord);

/// All records of a file. An error says why the log can't take them.
pub(super) fn read(log: &Log, mut file: Bytes) -> Result<Vec<Addressed>, String> {
    let mut addressed = Vec::new();
    while !file.is_empty() {
        let (name, partition, block) = decode(&mut file).ok_or("it isn't a file of records, or it is truncated")?;
        let topic = log.topic(&name).ok_or_else(|| format!("there is no topic `{name}`"))?;
        if partition >= log.partitions(topic) {
            return Err(format!("topic `{name}` has no partition {partition}"));
        }
        let mut records = BlockReader::new(block)?;
        while let Some(record) = records.next()? {
            addressed.push((topic, partition, record));
        }
    }
    Ok(addressed)
}

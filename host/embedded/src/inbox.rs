//! The inbox: how records get into the log of a running instance, which alone can write to its database.
//!
//! Another process writes a file of records and moves it into the folder. The running instance appends its records and
//! notes its name in one batch, then deletes it; a file whose name is noted already is only deleted. So each file is
//! taken exactly once, whenever either process dies.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};
use millrace_store::Batch;

use crate::error::Error;
use crate::log::codec::{BlockReader, BlockWriter};
use crate::log::{Log, NewRecord, TopicId};
use crate::worker::Worker;

/// The folder, as the running instance sees it.
pub(crate) struct Inbox {
    folder: PathBuf,
}

/// A record on its way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// The record.
    pub record: NewRecord,
}

/// Leaves records for the instance that runs on the database with this inbox.
///
/// # Errors
/// The file can't be written.
pub fn send(folder: &Path, name: &str, letters: &[Letter]) -> Result<(), Error> {
    let bytes = encode(letters);
    let write = || {
        fs::create_dir_all(folder)?;
        let hidden = folder.join(format!(".{name}.part"));
        let mut file = fs::File::create(&hidden)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&hidden, folder.join(name))
    };
    write().map_err(|source| Error::Inbox { path: folder.into(), source })
}

/// A file: for each run of letters to one partition, the length of the topic's name u16, the name, the partition u32,
/// the length of a block u32, and the block, as the log stores it.
fn encode(letters: &[Letter]) -> Vec<u8> {
    let (mut file, mut writer, mut block) = (Vec::new(), BlockWriter::default(), Vec::new());
    let mut letters = letters.iter().peekable();
    while let Some(letter) = letters.next() {
        writer.push(&letter.record);
        let same = |next: &&&Letter| next.topic == letter.topic && next.partition == letter.partition;
        if writer.is_full() || letters.peek().filter(same).is_none() {
            writer.finish(&mut block);
            file.put_u16(letter.topic.len() as u16);
            file.put_slice(letter.topic.as_bytes());
            file.put_u32(letter.partition);
            file.put_u32(block.len() as u32);
            file.put_slice(&block);
        }
    }
    file
}

/// The next run of letters of a file: topic, partition, block.
fn decode(file: &mut Bytes) -> Option<(String, u32, Bytes)> {
    let length = usize::from(file.try_get_u16().ok()?);
    let name = (length <= file.len()).then(|| file.split_to(length))?;
    let partition = file.try_get_u32().ok()?;
    let length = file.try_get_u32().ok()? as usize;
    let block = (length <= file.len()).then(|| file.split_to(length))?;
    Some((String::from_utf8(name.to_vec()).ok()?, partition, block))
}

impl Inbox {
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|source| Error::Inbox { path: folder.into(), source })?;
        Ok(Self { folder: folder.into() })
    }

    /// Takes the next file, by name, and commits it. Tells whether there was one. A file that can't be taken is put
    /// aside under its name with `.refused`, and the reason goes to the log: nothing is lost, and the app goes on.
    pub(crate) fn take_into(&self, worker: &mut Worker, now: i64) -> Result<bool, Error> {
        let Some(name) = self.next().map_err(|source| self.failed(source))? else { return Ok(false) };
        let path = self.folder.join(&name);
        let noted = format!("inbox/{name}");
        if worker.log().control(noted.as_bytes())?.is_none() {
            let bytes = fs::read(&path).map_err(|source| self.failed(source))?;
            let letters = match open(worker.log(), bytes.into()) {
                Ok(letters) => letters,
                Err(reason) => return self.put_aside(&path, &reason).map(|()| true),
            };
            for (topic, partition, record) in letters {
                worker.append_to_log(topic, partition, record, now)?;
            }
            let mut batch = Batch::new(worker.log().database());
            worker.log().put_control(&mut batch, noted.as_bytes(), b"")?;
            worker.commit_with(batch)?;
        }
        fs::remove_file(&path).map_err(|source| self.failed(source))?;
        let mut batch = Batch::new(worker.log().database());
        worker.log().delete_control(&mut batch, noted.as_bytes())?;
        worker.commit_with(batch)?;
        Ok(true)
    }

    fn put_aside(&self, path: &Path, reason: &str) -> Result<(), Error> {
        let aside = path.with_extension("refused");
        tracing::error!(file = %path.display(), kept_as = %aside.display(), reason, "records were refused");
        fs::rename(path, aside).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Inbox { path: self.folder.clone(), source }
    }

    fn next(&self) -> std::io::Result<Option<String>> {
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && !name.ends_with(".refused") {
                names.push(name);
            }
        }
        Ok(names.into_iter().min())
    }
}

type Placed = (TopicId, u32, NewRecord);

/// All records of a file with their places, or why it can't be taken.
fn open(log: &Log, mut file: Bytes) -> Result<Vec<Placed>, String> {
    let mut letters = Vec::new();
    while !file.is_empty() {
        let (name, partition, block) = decode(&mut file).ok_or("it isn't a file of records, or is cut off")?;
        let topic = log.topic(&name).ok_or_else(|| format!("there is no topic `{name}`"))?;
        if partition >= log.partitions(topic) {
            return Err(format!("topic `{name}` has no partition {partition}"));
        }
        let mut records = BlockReader::new(block)?;
        while let Some(record) = records.next()? {
            letters.push((topic, partition, record));
        }
    }
    Ok(letters)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_letters_to_several_partitions_in_order() {
        let letter = |topic: &str, partition, value: &str| Letter {
            topic: topic.into(),
            partition,
            record: NewRecord::new(1, "k", value.to_owned()),
        };
        let letters = [letter("a", 0, "1"), letter("a", 0, "2"), letter("a", 1, "3"), letter("b", 1, "4")];
        let mut file = Bytes::from(encode(&letters));
        let mut read = Vec::new();
        while let Some((topic, partition, block)) = decode(&mut file) {
            let mut records = BlockReader::new(block).unwrap();
            while let Some(record) = records.next().unwrap() {
                read.push(Letter { topic: topic.clone(), partition, record });
            }
        }
        assert_eq!(read, letters);
        assert!(decode(&mut Bytes::from_static(b"\0\x09short")).is_none());
    }
}

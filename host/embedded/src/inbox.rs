//! The inbox: how records get into the log of a running instance, which alone can write to its database.
//!
//! Another process writes a file of records and moves it into the folder. The running instance appends its records and
//! notes its name in one batch, then deletes it; a file whose name is noted already is only deleted. So each file is
//! taken exactly once, whenever either process dies.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
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
    /// What was last seen there that no sender can have left.
    strays: RefCell<BTreeSet<OsString>>,
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

/// Leaves records for the instance that runs on the database with this inbox. When it returns, they survive a power
/// failure.
///
/// # Errors
/// The file can't be written.
pub fn send(folder: &Path, name: &str, letters: &[Letter]) -> Result<(), Error> {
    let bytes = encode(letters);
    let hidden = folder.join(format!(".{name}.part"));
    let write = || {
        make_folder(folder)?;
        let mut file = fs::File::create(&hidden)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&hidden, folder.join(name))?;
        sync_folder(folder)
    };
    write().map_err(|source| {
        // What is half written takes room that others need.
        drop(fs::remove_file(&hidden));
        Error::Inbox { path: folder.into(), source }
    })
}

/// Makes the folder if it isn't there, so that it outlives a power failure.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
}

/// Waits until the disk has the names in the folder: syncing a file doesn't do that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
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
        make_folder(folder).map_err(|source| Error::Inbox { path: folder.into(), source })?;
        Ok(Self { folder: folder.into(), strays: RefCell::default() })
    }

    /// Takes the next file, by name, and commits it. Tells whether there was one. A file that can't be taken is put
    /// aside under its name with `.refused`, and the reason goes to the log: nothing is lost, and the app goes on.
    pub(crate) fn take_into(&self, worker: &mut Worker, now: i64) -> Result<bool, Error> {
        let Look { next, new_strays } = self.look().map_err(|source| self.failed(source))?;
        for stray in new_strays {
            let file = self.folder.join(stray);
            tracing::warn!(file = %file.display(), "not a file of records: it is left where it is");
        }
        let Some(name) = next else { return Ok(false) };
        let path = self.folder.join(&name);
        let noted = format!("inbox/{name}");
        if worker.log().control(noted.as_bytes())?.is_none() {
            let bytes = fs::read(&path).map_err(|source| self.failed(source))?;
            let letters = match open(worker.log(), bytes.into()) {
                Ok(letters) => letters,
                Err(reason) => return self.put_aside(&name, &reason).map(|()| true),
            };
            for (topic, partition, record) in letters {
                worker.append_to_log(topic, partition, record, now)?;
            }
            let mut batch = Batch::new(worker.log().database());
            worker.log().put_control(&mut batch, noted.as_bytes(), b"")?;
            worker.commit_with(batch)?;
        }
        // A power failure must not bring the file back once the note is gone: its records would come twice.
        fs::remove_file(&path).and_then(|()| sync_folder(&self.folder)).map_err(|source| self.failed(source))?;
        let mut batch = Batch::new(worker.log().database());
        worker.log().delete_control(&mut batch, noted.as_bytes())?;
        worker.commit_with(batch)?;
        Ok(true)
    }

    fn put_aside(&self, name: &str, reason: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        let mut aside = self.folder.join(format!("{name}.refused"));
        // What was refused before under the same name is kept too.
        let mut number = 2;
        while aside.symlink_metadata().is_ok() {
            aside = self.folder.join(format!("{name}.{number}.refused"));
            number += 1;
        }
        tracing::error!(file = %path.display(), kept_as = %aside.display(), reason, "records were refused");
        fs::rename(path, aside).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Inbox { path: self.folder.clone(), source }
    }

    /// Looks for the next file, by name. Whatever else lies in the folder has nothing to do with us and doesn't stop the
    /// app.
    fn look(&self) -> io::Result<Look> {
        let (mut names, mut strays) = (BTreeSet::new(), BTreeSet::new());
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") || bytes.ends_with(b".refused") {
                continue;
            }
            // None: it is gone by now.
            let Some(kind) = entry.file_type().map(Some).or_else(gone)? else { continue };
            match name.into_string() {
                Ok(name) if kind.is_file() => drop(names.insert(name)),
                Ok(name) => drop(strays.insert(name.into())),
                Err(name) => drop(strays.insert(name)),
            }
        }
        let new_strays = strays.difference(&self.strays.borrow()).cloned().collect();
        self.strays.replace(strays);
        Ok(Look { next: names.pop_first(), new_strays })
    }
}

/// What a look into the folder finds.
struct Look {
    /// The first file of records.
    next: Option<String>,
    /// What can't be a file of records and wasn't there before: a folder, a link, a name that isn't UTF-8.
    new_strays: Vec<OsString>,
}

fn gone<T>(error: io::Error) -> io::Result<Option<T>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
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
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::sync::Arc;

    use millrace_pipeline::{self as pipeline, SourceFile};
    use millrace_store::{Database, OpenOptions};

    use super::*;
    use crate::worker::WorkerOptions;

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

    /// A running app with topic `in`, and its inbox.
    fn app(folder: &Path) -> (Worker, Inbox) {
        let text = "app = 'a'\n[[source]]\nname = 's'\ntopic = 'in'\n[[table]]\nname = 'rows'\nfrom = 's'\n";
        let file = SourceFile { path: "a.toml".into(), text: text.into() };
        let topology =
            pipeline::build(&pipeline::parse(&[file], &Default::default()).unwrap(), &BTreeMap::new()).unwrap();
        let options = OpenOptions { families: &Log::FAMILIES, ..OpenOptions::new(&topology.stores) };
        let database = Arc::new(Database::open(&folder.join("db"), &options).unwrap());
        let log = Arc::new(Log::open(Arc::clone(&database)).unwrap());
        let options = WorkerOptions::default();
        let worker = Worker::open(topology.into(), database, log, &Arc::from([]), options).unwrap();
        (worker, Inbox::open(&folder.join("inbox")).unwrap())
    }

    fn letter(value: &str) -> Letter {
        Letter { topic: "in".into(), partition: 0, record: NewRecord::new(1, "k", value.to_owned()) }
    }

    fn names(inbox: &Inbox) -> Vec<String> {
        let entries = fs::read_dir(&inbox.folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn records(worker: &Worker) -> i64 {
        worker.log().end_offset(worker.log().topic("in").unwrap(), 0).unwrap()
    }

    #[test]
    fn what_is_no_file_of_records_is_told_once_and_does_not_stop_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let (mut worker, inbox) = app(folder.path());
        fs::create_dir(inbox.folder.join("a-folder")).unwrap();
        std::os::unix::fs::symlink("nowhere", inbox.folder.join("a-link")).unwrap();
        fs::write(inbox.folder.join(OsStr::from_bytes(b"a-\xff")), encode(&[letter("1")])).unwrap();
        send(&inbox.folder, "b", &[letter("2")]).unwrap();
        assert_eq!(inbox.look().unwrap().new_strays.len(), 3);
        assert!(inbox.take_into(&mut worker, 0).unwrap());
        assert!(!inbox.take_into(&mut worker, 0).unwrap());
        assert_eq!(records(&worker), 1);
        assert_eq!(names(&inbox), ["a-folder", "a-link", "a-\u{fffd}"]);
        assert!(inbox.look().unwrap().new_strays.is_empty());
        fs::create_dir(inbox.folder.join("another")).unwrap();
        assert_eq!(inbox.look().unwrap().new_strays, ["another"]);
    }

    #[test]
    fn refused_files_keep_their_whole_names_and_do_not_replace_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (mut worker, inbox) = app(folder.path());
        for name in ["day.1", "day.2", "day.1"] {
            fs::write(inbox.folder.join(name), "nonsense").unwrap();
            assert!(inbox.take_into(&mut worker, 0).unwrap());
        }
        assert_eq!(names(&inbox), ["day.1.2.refused", "day.1.refused", "day.2.refused"]);
        assert!(!inbox.take_into(&mut worker, 0).unwrap());
    }
}

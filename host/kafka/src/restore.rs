//! Restoring: from the changelogs into the local state, from where that stands to where they end.
//!
//! They end at the high watermark of the moment, not at the last stable offset: a transaction that a dead process left
//! open holds the latter back behind records that are committed. So restoring waits until the end of what is stable has
//! come past that watermark. Topics written in transactions end in marks that no reader gets, so being there shows by
//! the partition's end being met, not by an offset.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use millrace_engine::ports::{Backend, Scan, StoreId};
use millrace_engine::topology::StoreKind;
use millrace_store::{Batch, Durability};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::{Error, Reaction};
use crate::faults::{self, Point};
use crate::folder::POSITIONS;
use crate::internal_topics::DELETE_RETENTION;
use crate::native::{Fetched, Fetcher};
use crate::positions::{Position, wall_clock};
use crate::tasks::TaskId;
use crate::worker::Shared;

/// Bytes of a write to the local state.
const WRITE_BYTES: usize = 4 << 20;

/// How long to wait for records at a time.
const WAIT: Duration = Duration::from_millis(50);

/// After so long without a record, why that may be is said.
const STALLED: Duration = Duration::from_secs(15);

/// The longest that a broker lets a transaction be open, unless it is told otherwise: after it, nothing can be in the
/// way of reading on.
const GIVE_UP: Duration = Duration::from_secs(16 * 60);

/// A changelog partition that is to be restored.
#[derive(Clone, Debug)]
pub(crate) struct Changelog {
    pub(crate) task: TaskId,
    pub(crate) store: StoreId,
    pub(crate) topic: String,
    /// Id of the topic.
    pub(crate) id: String,
    /// Key of its position.
    pub(crate) key: Vec<u8>,
}

/// A part of a changelog that is missing in the local state.
struct Gap {
    changelog: Changelog,
    /// Of the next record to be applied.
    next: i64,
    /// High watermark when it was planned.
    until: i64,
    done: bool,
    /// Whether something was applied since the position was written.
    dirty: bool,
}

/// What is to be restored.
pub(crate) struct Restore {
    gaps: Vec<Gap>,
}

impl Restore {
    /// Finds what is missing. A state that doesn't fit its changelog any more is emptied, to be restored from the start.
    /// `None` if `go_on` says no before it is done.
    pub(crate) fn plan(
        shared: &Shared,
        changelogs: Vec<Changelog>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Reaction> {
        let (mut gaps, mut retentions) = (Vec::new(), BTreeMap::new());
        for changelog in changelogs {
            if !go_on() {
                return Ok(None);
            }
            let (low, high) = shared.cluster.range(&changelog.topic, changelog.task.partition)?;
            let position = Position::read(&shared.database, &changelog.key)?;
            let next = match &position {
                Some(position) => match stale(shared, &changelog, position, (low, high), &mut retentions)? {
                    None => position.next,
                    Some(reason) => {
                        tracing::warn!(
                            topic = changelog.topic,
                            partition = changelog.task.partition,
                            reason,
                            "the local state can't be used and is restored from the start"
                        );
                        empty(shared, &changelog)?;
                        low
                    }
                },
                None => {
                    empty(shared, &changelog)?;
                    low
                }
            };
            if next < high {
                gaps.push(Gap { changelog, next, until: high, done: false, dirty: false });
            }
        }
        Ok(Some(Self { gaps }))
    }

    pub(crate) fn is_done(&self) -> bool {
        self.gaps.iter().all(|gap| gap.done)
    }

    /// Offsets that are left: at least as many as records.
    pub(crate) fn left(&self) -> u64 {
        self.gaps
            .iter()
            .filter(|gap| !gap.done)
            .map(|gap| gap.until.saturating_sub(gap.next).max(0).cast_unsigned())
            .sum()
    }

    /// Restores, telling how many records came, until it is done or `go_on` says no. Whether it is done.
    pub(crate) fn run(
        &mut self,
        shared: &Shared,
        go_on: &dyn Fn() -> bool,
        tell: &dyn Fn(u64),
    ) -> Result<bool, Reaction> {
        let mut fetcher = Fetcher::new(&shared.settings.fetcher("restore"))?;
        fetcher.assign(&self.places()?)?;
        let mut places = HashMap::new();
        let mut batch = Batch::new(&shared.database);
        let mut moved = Instant::now();
        let mut warned = moved;
        while !self.is_done() && go_on() {
            let mut result = Ok(0);
            let count = fetcher.poll(WAIT, |topic, partition, fetched| {
                let find = || self.gaps_of(&topic.name(), partition);
                let gaps = places.entry((topic.handle(), partition)).or_insert_with(find);
                for gap in gaps {
                    let Some(gap) = self.gaps.get_mut(*gap) else { continue };
                    match (&mut result, apply(shared, gap, &fetched, &mut batch)) {
                        (Ok(records), Ok(applied)) => *records += applied,
                        (Ok(_), Err(reaction)) => result = Err(reaction),
                        (Err(_), _) => {}
                    }
                }
            });
            let records = result?;
            tell(records);
            if batch.bytes() >= WRITE_BYTES || (count == 0 && !batch.is_empty()) {
                self.write(shared, std::mem::replace(&mut batch, Batch::new(&shared.database)))?;
            }
            if records > 0 {
                moved = Instant::now();
            } else if warned.elapsed() > STALLED && moved.elapsed() > STALLED {
                warned = Instant::now();
                self.explain(moved)?;
            }
        }
        self.write(shared, batch)?;
        Ok(self.is_done())
    }

    fn places(&self) -> Result<TopicPartitionList, Error> {
        // Tasks of several sub-topologies read the same partition of the meta store's changelog.
        let mut first = BTreeMap::new();
        for gap in &self.gaps {
            let place = (gap.changelog.topic.as_str(), gap.changelog.task.partition.cast_signed());
            let next = first.entry(place).or_insert(gap.next);
            *next = gap.next.min(*next);
        }
        let mut list = TopicPartitionList::new();
        for ((topic, partition), next) in first {
            list.add_partition_offset(topic, partition, Offset::Offset(next))?;
        }
        Ok(list)
    }

    fn gaps_of(&self, topic: &str, partition: i32) -> Vec<usize> {
        let is_it = |gap: &Gap| gap.changelog.topic == topic && gap.changelog.task.partition.cast_signed() == partition;
        self.gaps.iter().enumerate().filter(|(_, gap)| is_it(gap)).map(|(number, _)| number).collect()
    }

    /// Writes what is gathered, with the positions that it reaches.
    fn write(&mut self, shared: &Shared, mut batch: Batch) -> Result<(), Reaction> {
        let at = wall_clock();
        for gap in self.gaps.iter_mut().filter(|gap| gap.dirty) {
            gap.dirty = false;
            Position { topic: gap.changelog.id.clone(), next: gap.next, at }.write(
                &mut batch,
                gap.changelog.store,
                &gap.changelog.key,
            )?;
        }
        if !batch.is_empty() {
            shared.database.write(batch, Durability::Buffered)?;
            faults::hit(Point::Restoring);
        }
        Ok(())
    }

    /// Says why nothing comes, and gives up when that can't be any more.
    fn explain(&self, since: Instant) -> Result<(), Reaction> {
        let Some(gap) = self.gaps.iter().find(|gap| !gap.done) else { return Ok(()) };
        let (topic, partition) = (&gap.changelog.topic, gap.changelog.task.partition);
        let seconds = since.elapsed().as_secs();
        if since.elapsed() < GIVE_UP {
            tracing::warn!(
                topic,
                partition,
                seconds,
                next = gap.next,
                until = gap.until,
                "restoring waits: the broker doesn't answer, or a transaction of a process that died is still open"
            );
            return Ok(());
        }
        Err(Reaction::Fail(Error::Task(format!(
            "restoring from `{topic}`, partition {partition} has stood still for {seconds} s at offset {} of {}: a \
             transaction there is never ended; find it with `kafka-transactions.sh find-hanging`",
            gap.next, gap.until
        ))))
    }
}

/// Marks that one commit leaves at the end of a changelog partition, and one that was given up.
const MARKS: i64 = 2;

/// Why a state at this position can't be brought up to date by the rest of the changelog. `retentions` keeps for how long
/// deletions can be seen in a topic.
fn stale(
    shared: &Shared,
    changelog: &Changelog,
    position: &Position,
    (low, high): (i64, i64),
    retentions: &mut BTreeMap<String, i64>,
) -> Result<Option<&'static str>, Error> {
    let Some(kind) = shared.topology.stores.get(changelog.store.0).map(|store| store.kind) else { return Ok(None) };
    // What was written and is gone again since then: at most marks of transactions, where all else is too old to count.
    let faded = kind.retention().is_some() && low == high && low.saturating_sub(position.next) <= MARKS;
    let reason = if position.topic != changelog.id {
        Some("its changelog was deleted and made anew")
    } else if position.next > high {
        Some("its changelog ends before it")
    } else if position.next < low && !faded {
        Some("its changelog begins after it")
    } else {
        None
    };
    // Entries of joins are never deleted one by one.
    if reason.is_some() || matches!(kind, StoreKind::Window { .. }) || position.next + 1 >= high {
        return Ok(reason);
    }
    let retention = match retentions.get(&changelog.topic) {
        Some(retention) => *retention,
        // It is what the topic was made with, where it may not be seen.
        None => shared.cluster.delete_retention(&changelog.topic)?.unwrap_or(DELETE_RETENTION),
    };
    retentions.insert(changelog.topic.clone(), retention);
    let forgotten = position.is_older_than(retention);
    Ok(forgotten.then_some("what was deleted since then can't be seen in its changelog any more"))
}

/// Empties a store before it is restored from the start. Of the meta store others have entries too: theirs stay.
fn empty(shared: &Shared, changelog: &Changelog) -> Result<(), Reaction> {
    let mut batch = Batch::new(&shared.database);
    batch.delete_beside(changelog.store, POSITIONS, &changelog.key)?;
    if is_meta(shared, changelog) {
        let own = |key: &[u8]| shared.topology.meta_owner(key) == Some(changelog.task.subtopology);
        let mut keys = Vec::new();
        let backend = shared.database.backend(changelog.task.partition);
        let scanned = backend.scan(changelog.store, &[], None, &mut |key, _| {
            keys.extend(own(key).then(|| key.to_vec()));
            Scan::Continue
        });
        scanned.map_err(|error| Reaction::Fail(Error::Task(error.to_string())))?;
        for key in keys {
            batch.set(changelog.store, changelog.task.partition, &key, None)?;
        }
    } else {
        batch.clear(changelog.store, changelog.task.partition)?;
    }
    Ok(shared.database.write(batch, Durability::Buffered)?)
}

fn is_meta(shared: &Shared, changelog: &Changelog) -> bool {
    shared.topology.subtopologies.iter().any(|part| part.meta == changelog.store)
}

/// Puts what was fetched into the batch. Returns how many records it was.
fn apply(shared: &Shared, gap: &mut Gap, fetched: &Fetched<'_>, batch: &mut Batch) -> Result<u64, Reaction> {
    let changelog = &gap.changelog;
    match fetched {
        Fetched::Record(message) if message.offset() < gap.next => Ok(0),
        Fetched::Record(message) => {
            gap.next = message.offset() + 1;
            gap.dirty = true;
            // Only we write there, and always with a key.
            let Some(key) = message.key() else { return Ok(0) };
            if !is_meta(shared, changelog) || shared.topology.meta_owner(key) == Some(changelog.task.subtopology) {
                batch.set(changelog.store, changelog.task.partition, key, message.value())?;
            }
            Ok(1)
        }
        Fetched::End(offset) => {
            // Behind the last record there are only marks: the next start needn't look for more.
            if *offset >= gap.until {
                gap.next = gap.next.max(*offset);
                gap.dirty = true;
                gap.done = true;
            }
            Ok(0)
        }
        Fetched::Failed(code, text) => {
            use rdkafka::error::RDKafkaErrorCode as Code;
            match code {
                // Its first record was deleted since the plan: a new one knows.
                Code::AutoOffsetReset
                | Code::OffsetOutOfRange
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition => {
                    Err(Reaction::Abort(format!("changelog `{}` can't be read: {text}", changelog.topic)))
                }
                Code::TopicAuthorizationFailed => {
                    Err(Reaction::Stop(Error::Setup(format!("changelog `{}` can't be read: {text}", changelog.topic))))
                }
                _ => Ok(0),
            }
        }
    }
}

//! Restoring: from the changelogs into the local state, from where that stands to where they end.
//!
//! They end at the high watermark of the moment, not at the last stable offset: a transaction that a dead process left
//! open holds the latter back behind records that are committed. So restoring waits until the end of what is stable has
//! come past that watermark. Topics written in transactions end in marks that no reader gets, so being there shows by
//! the partition's end being met, not by an offset.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use millrace_engine::ports::{Backend, Scan, StoreId};
use millrace_engine::topology::StoreKind;
use millrace_store::{Batch, Durability};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::{Error, Reaction};
use crate::faults::{self, Point};
use crate::folder::POSITIONS;
use crate::internal_topics::DELETE_RETENTION;
use crate::native::{Fetched, Fetcher, c_name};
use crate::positions::{Position, wall_clock};
use crate::reactions::{Class, class, remedy};
use crate::tasks::TaskId;
use crate::worker::Shared;

/// Bytes of a write to the local state.
const WRITE_BYTES: usize = 4 << 20;

/// After so long without a record, why that may be is said.
const STALLED: Duration = Duration::from_secs(15);

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
pub(crate) struct Gap {
    changelog: Changelog,
    /// Of the next record to be applied.
    next: i64,
    /// High watermark when it was planned.
    until: i64,
    done: bool,
    /// Whether something was applied since the position was written.
    dirty: bool,
    /// When it last came further.
    moved: Instant,
}

/// What the local state lacks of a changelog, if it lacks anything. A state that doesn't fit its changelog any more is
/// emptied, to be restored from the start. `retentions` keeps for how long deletions can be seen in a topic.
///
/// # Errors
/// [`Reaction::Rebuild`]: no broker tells where the changelog ends. Otherwise the database fails.
pub(crate) fn plan(
    shared: &Shared,
    changelog: Changelog,
    retentions: &mut BTreeMap<String, i64>,
) -> Result<Option<Gap>, Reaction> {
    let (low, high) = shared.cluster.range(&changelog.topic, changelog.task.partition)?;
    let position = Position::read(&shared.database, &changelog.key)?;
    let next = match &position {
        Some(position) => match stale(shared, &changelog, position, (low, high), retentions)? {
            // What lay between them were marks, and is gone.
            None => position.next.max(low),
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
    let gap = Gap { changelog, next, until: high, done: false, dirty: false, moved: Instant::now() };
    Ok((next < high).then_some(gap))
}

/// Where a task can't go on, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) text: String,
}

/// What came in a round of restoring.
#[derive(Default)]
pub(crate) struct Round {
    /// Records.
    pub(crate) records: u64,
    /// Tasks that are restored.
    pub(crate) done: Vec<TaskId>,
    /// Tasks whose changelogs can't be read from where they were planned to be: a new plan is needed.
    pub(crate) failed: BTreeMap<TaskId, Trouble>,
}

/// Gaps of some tasks that are being filled, by a consumer of their own.
pub(crate) struct Restore {
    fetcher: Fetcher,
    gaps: Vec<Gap>,
    /// Which gaps a partition fills, by the handle of its topic.
    places: HashMap<(usize, i32), Vec<usize>>,
    /// What isn't written yet.
    batch: Batch,
}

impl Restore {
    /// Begins to read.
    pub(crate) fn start(shared: &Shared, gaps: Vec<Gap>) -> Result<Self, Error> {
        let fetcher = Fetcher::new(&shared.settings.fetcher("restore"))?;
        fetcher.assign(&places(&gaps)?)?;
        Ok(Self { fetcher, gaps, places: HashMap::new(), batch: Batch::new(&shared.database) })
    }

    /// Offsets that are left: at least as many as records.
    pub(crate) fn left(&self) -> u64 {
        let left = |gap: &Gap| gap.until.saturating_sub(gap.next).max(0).cast_unsigned();
        self.gaps.iter().filter(|gap| !gap.done).map(left).sum()
    }

    /// Whether there is nothing left to restore.
    pub(crate) fn is_over(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Reads what there is, waiting for it at most so long, and applies it.
    ///
    /// # Errors
    /// The database can't be written.
    pub(crate) fn step(&mut self, shared: &Shared, wait: Duration) -> Result<Round, Reaction> {
        let Self { fetcher, gaps, places, batch } = self;
        let (mut round, mut result) = (Round::default(), Ok(()));
        let (left, now) = (gaps.iter().filter(|gap| !gap.done).count(), Instant::now());
        let count = fetcher.poll(wait, |topic, partition, fetched| {
            let find = || gaps_of(gaps, &topic.name(), partition);
            for number in places.entry((topic.handle(), partition)).or_insert_with(find) {
                let Some(gap) = gaps.get_mut(*number) else { continue };
                match apply(shared, gap, &fetched, batch, now) {
                    Ok(Applied::Records(records)) => round.records += records,
                    Ok(Applied::Failed(text)) => {
                        round.failed.entry(gap.changelog.task).or_insert_with(|| gap.trouble(text));
                    }
                    Err(reaction) if result.is_ok() => result = Err(reaction),
                    Err(_) => {}
                }
            }
        });
        result?;
        let ended = gaps.iter().filter(|gap| !gap.done).count() < left;
        if self.batch.bytes() >= WRITE_BYTES || ended || (count == 0 && !self.batch.is_empty()) {
            self.write(shared)?;
        }
        if ended || !round.failed.is_empty() {
            self.settle(shared, &mut round)?;
        }
        Ok(round)
    }

    /// Lets go of the tasks that are restored or have failed.
    fn settle(&mut self, shared: &Shared, round: &mut Round) -> Result<(), Reaction> {
        self.write(shared)?;
        let open: BTreeSet<_> = self.gaps.iter().filter(|gap| !gap.done).map(|gap| gap.changelog.task).collect();
        let all: BTreeSet<_> = self.gaps.iter().map(|gap| gap.changelog.task).collect();
        round.done = all.into_iter().filter(|task| !open.contains(task) && !round.failed.contains_key(task)).collect();
        let over = |gap: &Gap| !open.contains(&gap.changelog.task) || round.failed.contains_key(&gap.changelog.task);
        let gone: Vec<_> = self.gaps.extract_if(.., |gap| over(gap)).collect();
        self.places.clear();
        // What goes on being written there is no business of this one any more.
        let place = |gap: Gap| (gap.changelog.topic, gap.changelog.task.partition.cast_signed());
        let left: BTreeSet<_> = gone.into_iter().map(place).collect();
        for (topic, partition) in left {
            if gaps_of(&self.gaps, &topic, partition).is_empty() {
                self.fetcher.leave(&c_name(&topic), partition)?;
            }
        }
        Ok(())
    }

    /// Writes what is gathered, with the positions that it reaches.
    fn write(&mut self, shared: &Shared) -> Result<(), Reaction> {
        let mut batch = std::mem::replace(&mut self.batch, Batch::new(&shared.database));
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

    /// Tasks that have stood still for long, and why that may be.
    pub(crate) fn stalled(&self) -> BTreeMap<TaskId, Trouble> {
        let stalled = self.gaps.iter().filter(|gap| !gap.done && gap.moved.elapsed() > STALLED);
        let trouble = |gap: &Gap| {
            gap.trouble(format!(
                "restoring has stood still for {} s at offset {} of {}: the broker doesn't answer, or a transaction there is \
                 neither committed nor aborted yet; if this goes on, it is never ended: find it with \
                 `kafka-transactions.sh find-hanging`",
                gap.moved.elapsed().as_secs(),
                gap.next,
                gap.until
            ))
        };
        stalled.map(|gap| (gap.changelog.task, trouble(gap))).collect()
    }
}

impl Gap {
    fn trouble(&self, text: String) -> Trouble {
        Trouble { topic: self.changelog.topic.clone(), partition: self.changelog.task.partition, text }
    }
}

/// Where to read from. Tasks of several sub-topologies read the same partition of the meta store's changelog.
fn places(gaps: &[Gap]) -> Result<TopicPartitionList, Error> {
    let mut first = BTreeMap::new();
    for gap in gaps {
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

fn gaps_of(gaps: &[Gap], topic: &str, partition: i32) -> Vec<usize> {
    let is_it = |gap: &Gap| gap.changelog.topic == topic && gap.changelog.task.partition.cast_signed() == partition;
    gaps.iter().enumerate().filter(|(_, gap)| is_it(gap)).map(|(number, _)| number).collect()
}

/// A client that can't do what needs no broker will not do it later either.
pub(crate) fn fatal(error: Error) -> Reaction {
    match error {
        Error::Kafka(_) => Reaction::Fail(error),
        error => error.into(),
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

/// What became of something that was fetched.
enum Applied {
    /// So many records were put into the batch.
    Records(u64),
    /// The changelog can't be read from there.
    Failed(String),
}

/// Puts what was fetched into the batch.
fn apply(
    shared: &Shared,
    gap: &mut Gap,
    fetched: &Fetched<'_>,
    batch: &mut Batch,
    now: Instant,
) -> Result<Applied, Reaction> {
    let changelog = &gap.changelog;
    match fetched {
        Fetched::Record(message) if message.offset() < gap.next => Ok(Applied::Records(0)),
        Fetched::Record(message) => {
            gap.next = message.offset() + 1;
            gap.dirty = true;
            gap.moved = now;
            // Only we write there, and always with a key.
            let Some(key) = message.key() else { return Ok(Applied::Records(0)) };
            if !is_meta(shared, changelog) || shared.topology.meta_owner(key) == Some(changelog.task.subtopology) {
                batch.set(changelog.store, changelog.task.partition, key, message.value())?;
            }
            Ok(Applied::Records(1))
        }
        Fetched::End(offset) => {
            // Behind the last record there are only marks: the next start needn't look for more.
            if *offset >= gap.until {
                gap.next = gap.next.max(*offset);
                gap.dirty = true;
                gap.done = true;
            }
            Ok(Applied::Records(0))
        }
        Fetched::Failed(code, text) => {
            use rdkafka::error::RDKafkaErrorCode as Code;
            match (code, class(*code)) {
                // Its first record was deleted since the plan: a new one knows.
                (Code::AutoOffsetReset | Code::OffsetOutOfRange, _) | (_, Class::Topic | Class::Permission) => {
                    Ok(Applied::Failed(format!("the changelog can't be read: {text}{}", remedy(*code))))
                }
                _ => Ok(Applied::Records(0)),
            }
        }
    }
}

//! Restoring: from the changelogs into the local state, from where that stands to where they end.
//!
//! They end at the high watermark of the moment, not at the last stable offset: a transaction that a dead process left
//! open holds the latter back behind records that are committed. So restoring waits until the end of what is stable has
//! come past that watermark. Topics written in transactions end in markers that no reader gets, so the end of a
//! partition shows by the fetcher's end, not by a record's offset.

mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use millrace_engine::ports::StoreId;
use millrace_store::{Batch, Durability};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::app::{App, hanging};
use crate::client::fetch_failure::FetchFailure;
use crate::client::native::{Fetched, Fetcher, c_name};
use crate::clock::wall_clock;
use crate::control::orphans::Orphans;
use crate::error::codes::remedy;
use crate::error::{Error, Reaction};
use crate::faults::{self, Point};
use crate::state::StateContext;
use crate::state::positions::Position;
use crate::tasks::TaskId;
pub(crate) use plan::{RestorePlan, plan};

/// Bytes of a write to the local state.
const WRITE_LIMIT_BYTES: usize = 4 << 20;

/// After so long without a record, restoring is stalled, and that is logged.
const STALLED_AFTER: Duration = Duration::from_secs(15);

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

/// The part of a changelog that the local state lacks.
pub(crate) struct ChangelogGap {
    changelog: Changelog,
    /// Offset of the next record to be applied.
    next: i64,
    /// High watermark when it was planned.
    until: i64,
    done: bool,
    /// Whether something was applied since the position was written.
    dirty: bool,
    /// Runs in the changelog that no task would go on with.
    orphans: Orphans,
    /// When it last came further.
    moved: Instant,
}

/// A partition for which a task waits, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionTrouble {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) text: String,
}

/// The result of a round of restoring.
#[derive(Default)]
pub(crate) struct RestoreRound {
    /// Records.
    pub(crate) records: u64,
    /// Tasks that are restored.
    pub(crate) done: Vec<TaskId>,
    /// Tasks whose changelogs can't be read from where they were planned to be: a new plan is needed.
    pub(crate) failed: BTreeMap<TaskId, PartitionTrouble>,
}

/// Restores some tasks, with a consumer of its own.
pub(crate) struct Restore {
    fetcher: Fetcher,
    gaps: Vec<ChangelogGap>,
    /// Which gaps a partition fills, by the handle of its topic.
    places: HashMap<(usize, i32), Vec<usize>>,
    /// Entries that aren't written yet.
    batch: Batch,
}

impl Restore {
    /// Begins to read.
    pub(crate) fn start(state: StateContext<'_>, gaps: Vec<ChangelogGap>) -> Result<Self, Error> {
        let fetcher = Fetcher::new(&state.settings.fetcher("restore"))?;
        fetcher.assign(&places(&gaps)?)?;
        Ok(Self { fetcher, gaps, places: HashMap::new(), batch: Batch::new(state.database) })
    }

    /// Offsets that are left: at least as many as records.
    pub(crate) fn left(&self) -> u64 {
        let left = |gap: &ChangelogGap| gap.until.saturating_sub(gap.next).max(0).cast_unsigned();
        self.gaps.iter().filter(|gap| !gap.done).map(left).sum()
    }

    /// Whether there is nothing left to restore.
    pub(crate) fn is_over(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Reads records that have come, waiting at most so long for them, and applies them.
    ///
    /// # Errors
    /// The database can't be written.
    pub(crate) fn step(&mut self, state: StateContext<'_>, wait: Duration) -> Result<RestoreRound, Reaction> {
        let Self { fetcher, gaps, places, batch } = self;
        let (mut round, mut result) = (RestoreRound::default(), Ok(()));
        let (left, now) = (gaps.iter().filter(|gap| !gap.done).count(), Instant::now());
        let count = fetcher.poll(wait, |topic, partition, fetched| {
            let find = || gaps_of(gaps, &topic.name(), partition);
            for number in places.entry((topic.handle(), partition)).or_insert_with(find) {
                let Some(gap) = gaps.get_mut(*number) else { continue };
                match apply(state, gap, &fetched, batch, now) {
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
        if self.batch.bytes() >= WRITE_LIMIT_BYTES || ended || (count == 0 && !self.batch.is_empty()) {
            self.write(state)?;
        }
        if ended || !round.failed.is_empty() {
            self.settle(state, &mut round)?;
        }
        Ok(round)
    }

    /// Lets go of the tasks that are restored or have failed.
    fn settle(&mut self, state: StateContext<'_>, round: &mut RestoreRound) -> Result<(), Reaction> {
        self.write(state)?;
        let open: BTreeSet<_> = self.gaps.iter().filter(|gap| !gap.done).map(|gap| gap.changelog.task).collect();
        let all: BTreeSet<_> = self.gaps.iter().map(|gap| gap.changelog.task).collect();
        round.done = all.into_iter().filter(|task| !open.contains(task) && !round.failed.contains_key(task)).collect();
        let over =
            |gap: &ChangelogGap| !open.contains(&gap.changelog.task) || round.failed.contains_key(&gap.changelog.task);
        let gone: Vec<_> = self.gaps.extract_if(.., |gap| over(gap)).collect();
        self.places.clear();
        // Records that are written there from now on needn't be read.
        let place = |gap: ChangelogGap| (gap.changelog.topic, gap.changelog.task.partition.cast_signed());
        let left: BTreeSet<_> = gone.into_iter().map(place).collect();
        for (topic, partition) in left {
            if gaps_of(&self.gaps, &topic, partition).is_empty() {
                self.fetcher.leave(&c_name(&topic), partition)?;
            }
        }
        Ok(())
    }

    /// Writes the gathered entries, with the positions that they reach.
    fn write(&mut self, state: StateContext<'_>) -> Result<(), Reaction> {
        let mut batch = std::mem::replace(&mut self.batch, Batch::new(state.database));
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
            state.database.write(batch, Durability::Buffered)?;
            faults::hit(Point::Restoring);
        }
        Ok(())
    }

    /// Tasks whose restoring has stood still for long, with likely reasons.
    pub(crate) fn stalled(&self, app: App<'_>) -> BTreeMap<TaskId, PartitionTrouble> {
        let stalled = self.gaps.iter().filter(|gap| !gap.done && gap.moved.elapsed() > STALLED_AFTER);
        let trouble = |gap: &ChangelogGap| {
            gap.trouble(format!(
                "restoring has stood still for {} s at offset {} of {}: the broker doesn't answer, or a transaction there is \
                 neither committed nor aborted yet; {}",
                gap.moved.elapsed().as_secs(),
                gap.next,
                gap.until,
                hanging(app.bootstrap, &gap.changelog.topic)
            ))
        };
        stalled.map(|gap| (gap.changelog.task, trouble(gap))).collect()
    }
}

impl ChangelogGap {
    fn trouble(&self, text: String) -> PartitionTrouble {
        PartitionTrouble { topic: self.changelog.topic.clone(), partition: self.changelog.task.partition, text }
    }
}

/// Where to read from. Tasks of several sub-topologies read the same partition of the meta store's changelog.
fn places(gaps: &[ChangelogGap]) -> Result<TopicPartitionList, Error> {
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

fn gaps_of(gaps: &[ChangelogGap], topic: &str, partition: i32) -> Vec<usize> {
    let is_it =
        |gap: &ChangelogGap| gap.changelog.topic == topic && gap.changelog.task.partition.cast_signed() == partition;
    gaps.iter().enumerate().filter(|(_, gap)| is_it(gap)).map(|(number, _)| number).collect()
}

/// A call that needs no broker fails again at the next attempt.
pub(crate) fn fatal(error: Error) -> Reaction {
    match error {
        Error::Kafka(_) => Reaction::Fail(error),
        error => error.into(),
    }
}

fn is_meta(state: StateContext<'_>, changelog: &Changelog) -> bool {
    state.topology.subtopologies.iter().any(|part| part.meta == changelog.store)
}

/// The result of something that was fetched.
enum Applied {
    /// So many records were put into the batch.
    Records(u64),
    /// The changelog can't be read from there.
    Failed(String),
}

/// Puts a fetched record into the batch.
fn apply(
    state: StateContext<'_>,
    gap: &mut ChangelogGap,
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
            // Only this app writes there, and always with a key.
            let Some(key) = message.key() else { return Ok(Applied::Records(0)) };
            if is_meta(state, changelog) {
                let pipeline = (state.topology, state.partitions);
                gap.orphans.apply(pipeline, changelog.task.partition, (key, message.value()));
            }
            if !is_meta(state, changelog) || state.topology.meta_owner(key) == Some(changelog.task.subtopology) {
                batch.set(changelog.store, changelog.task.partition, key, message.value())?;
            }
            Ok(Applied::Records(1))
        }
        Fetched::End(offset) => {
            // After the last record there are only markers: the next start needn't read them.
            if *offset >= gap.until {
                gap.orphans.check()?;
                gap.next = gap.next.max(*offset);
                gap.dirty = true;
                gap.done = true;
            }
            Ok(Applied::Records(0))
        }
        // The first record may have been deleted since the plan was made: a new plan knows where the changelog begins.
        Fetched::Failed(code, text) if FetchFailure::of(*code).is_lasting() => {
            Ok(Applied::Failed(format!("the changelog can't be read: {text}{}", remedy(*code))))
        }
        Fetched::Failed(..) => Ok(Applied::Records(0)),
    }
}

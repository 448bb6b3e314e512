//! Global tables: every instance reads their topics whole, outside of the group, into its own database.
//!
//! An instance has all rows before it takes on its first task. After that, rows change between transactions only: see
//! [`TransactionBarrier`]. Its offsets are kept with the rows, so that a
//! restart reads only newer records.

mod growth;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use millrace_engine::global;
use millrace_engine::record::InputRecord;
use millrace_engine::topology::{GlobalTable, Topology};
use millrace_store::{Batch, Database, Durability, SHARED};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::fetch_failure::FetchFailure;
use crate::client::native::{Fetched, Fetcher};
use crate::client::settings::ClientSettings;
use crate::clock::wall_clock;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::error::codes::remedy;
use crate::state::barrier::TransactionBarrier;
use crate::state::folder::POSITIONS;
use crate::state::positions::Position;
use growth::Growth;

/// How long to wait for records at a time.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// Bytes of rows that are written together.
const WRITE_LIMIT_BYTES: usize = 1 << 20;

/// How long to wait until all workers are between transactions; they commit as soon as they notice. After a wait in
/// vain they may go on for as long.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is logged that rows wait.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// How long rows wait for more of them.
const GATHER_INTERVAL: Duration = Duration::from_millis(100);

/// Reads the topics of global tables.
pub(crate) struct Globals {
    database: Arc<Database>,
    fetcher: Fetcher,
    tables: Vec<Table>,
    /// The table and the number of a partition, by the topic's handle.
    places: HashMap<(usize, i32), Option<(usize, usize)>>,
    batch: Batch,
    /// Where records are copied to.
    buffer: BytesMut,
    /// How often rows couldn't be written since they last were, because the disk is full.
    full: u32,
}

struct Table {
    table: GlobalTable,
    topic: String,
    /// Id of the topic.
    id: String,
    partitions: Vec<Partition>,
    /// Records that were dropped.
    left_out: u64,
}

struct Partition {
    /// Offset of the next record.
    next: i64,
    /// Offset of the first record whose row isn't written.
    unwritten: i64,
    /// Whether its end was reached once.
    caught_up: bool,
    /// Whether something was read since the position was written.
    dirty: bool,
    /// Why it can't be read, and when that was logged.
    unreadable: Option<(String, Option<Instant>)>,
}

impl Globals {
    /// Finds the offsets to go on from. `None` if the app has no global tables.
    pub(crate) fn open(
        topology: &Topology,
        settings: &ClientSettings,
        cluster: &Cluster,
        database: &Arc<Database>,
        partitions: &[u32],
    ) -> Result<Option<Self>, Error> {
        if topology.globals.is_empty() {
            return Ok(None);
        }
        let mut tables = Vec::new();
        for table in &topology.globals {
            let topic = topology.topics.get(table.topic.0).map(|topic| topic.name.clone()).unwrap_or_default();
            let count = partitions.get(table.topic.0).copied().unwrap_or(0);
            tables.push(Table::open(table, topic, count, cluster, database)?);
        }
        let mut list = TopicPartitionList::new();
        for table in &tables {
            for (number, partition) in (0..).zip(&table.partitions) {
                list.add_partition_offset(&table.topic, number, Offset::Offset(partition.next))?;
            }
        }
        let mut fetcher = Fetcher::new(&settings.fetcher("global-tables"))?;
        fetcher.expect(tables.iter().map(|table| (table.topic.clone(), table.id.clone())).collect());
        fetcher.assign(&list)?;
        let (batch, buffer) = (Batch::new(database), BytesMut::new());
        Ok(Some(Self {
            database: Arc::clone(database),
            fetcher,
            tables,
            places: HashMap::new(),
            batch,
            buffer,
            full: 0,
        }))
    }

    /// Reads all records that are there, before the first task runs. False if the process stops before.
    pub(crate) fn catch_up(&mut self, stop: &AtomicBool) -> Result<bool, Error> {
        while self.read_to_ends(stop)? {
            if self.write_or_wait(stop)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads until the ends of all partitions were reached. False if the process stops before.
    fn read_to_ends(&mut self, stop: &AtomicBool) -> Result<bool, Error> {
        let mut moved = Instant::now();
        while let Some(behind) = self.tables.iter().find(|table| !table.is_caught_up()) {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if moved.elapsed() > LOG_INTERVAL {
                moved = Instant::now();
                let (topic, table) = (&behind.topic, &behind.table.name);
                tracing::warn!(
                    topic,
                    table,
                    "the global table waits for its topic: the broker of a partition doesn't answer"
                );
            }
            if self.read()? > 0 {
                moved = Instant::now();
            }
            if self.batch.bytes() >= WRITE_LIMIT_BYTES {
                self.write_or_wait(stop)?;
            }
        }
        Ok(!stop.load(Ordering::Relaxed))
    }

    /// Follows the topics until the process stops.
    ///
    /// # Errors
    /// [`Error::Changed`]: a topic was made anew or has grown. Otherwise the database fails.
    pub(crate) fn follow(
        mut self,
        barrier: &TransactionBarrier,
        cluster: &Arc<Cluster>,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let mut growth = Growth::default();
        let (mut since, mut late): (Option<Instant>, Option<Instant>) = (None, None);
        while !stop.load(Ordering::Relaxed) {
            growth.look(cluster, &self.tables)?;
            // Rows that can't be written yet wait in their topics, not in memory.
            let full = self.batch.bytes() >= WRITE_LIMIT_BYTES;
            let idle = !full && self.read()? == 0;
            let waiting = self.tables.iter().flat_map(|table| &table.partitions).any(|partition| partition.dirty);
            since = since.or(waiting.then(Instant::now)).filter(|_| waiting);
            let enough = idle || self.batch.bytes() >= WRITE_LIMIT_BYTES;
            if !since.is_some_and(|since| enough || since.elapsed() >= GATHER_INTERVAL) {
                continue;
            }
            // If a worker hangs in a transaction, the rows come later.
            let written = barrier.alone(BARRIER_TIMEOUT, || self.write()).transpose()?;
            if let Some(written) = written {
                late = None;
                if !written {
                    self.wait_for_room(stop);
                }
            } else if late.is_none_or(|logged: Instant| logged.elapsed() > LOG_INTERVAL) {
                late = Some(Instant::now());
                tracing::warn!("new rows of global tables wait until a worker ends its transaction");
            }
            if full && written.is_none() {
                std::thread::park_timeout(POLL_WAIT);
            }
        }
        Ok(())
    }

    /// Reads records that have come. Returns how many.
    fn read(&mut self) -> Result<usize, Error> {
        let Self { fetcher, tables, places, batch, buffer, .. } = self;
        let mut failed = None;
        let count = fetcher.poll(POLL_WAIT, |topic, number, fetched| {
            let find = || place_of(tables, &topic.name(), number);
            let Some((table, number)) = *places.entry((topic.handle(), number)).or_insert_with(find) else { return };
            let Some(table) = tables.get_mut(table) else { return };
            if let Err(error) = table.take(number, &fetched, buffer, batch) {
                failed = failed.take().or(Some(error));
            }
        });
        if let Some(table) = fetcher.made_anew().and_then(|topic| tables.iter().find(|table| table.topic == topic)) {
            return Err(Error::Changed(format!(
                "topic `{}` of the global table `{}` was deleted and made anew: start the app again, and the table is \
                 read from the start",
                table.topic, table.table.name
            )));
        }
        tables.iter_mut().for_each(Table::log_unreadable);
        failed.map_or(Ok(count), Err)
    }
}

impl Table {
    fn open(
        table: &GlobalTable,
        topic: String,
        partitions: u32,
        cluster: &Cluster,
        database: &Arc<Database>,
    ) -> Result<Self, Error> {
        let ids: BTreeMap<String, String> = cluster.ids(&[topic.as_str()])?;
        let id = ids.get(&topic).cloned().ok_or_else(|| Error::Missing(topic.clone()))?;
        // The topic belongs to another app, which has set it up. Where its settings may not be seen, deletions may be
        // gone already.
        let retention = cluster.delete_retention(&topic)?.unwrap_or(0);
        let (mut nexts, mut usable) = (Vec::new(), true);
        let mut lows = Vec::new();
        for number in 0..partitions {
            let (low, high) = cluster.range(&topic, number)?;
            let position = Position::read(database, &key(table, number))?;
            let fits = position.filter(|position| is_usable(position, &id, (low, high), retention));
            usable &= fits.is_some();
            nexts.push(fits.map_or(low, |position| position.next));
            lows.push(low);
        }
        if !usable {
            // Rows of all partitions lie together, so those of one partition can't be read anew alone.
            let mut batch = Batch::new(database);
            batch.clear(table.store, SHARED)?;
            for number in 0..partitions {
                batch.delete_beside(table.store, POSITIONS, &key(table, number))?;
            }
            database.write(batch, Durability::Buffered)?;
            nexts = lows;
        }
        let partition = |next| Partition { next, unwritten: next, caught_up: false, dirty: false, unreadable: None };
        let partitions = nexts.into_iter().map(partition).collect();
        Ok(Self { table: table.clone(), topic, id, partitions, left_out: 0 })
    }

    fn is_caught_up(&self) -> bool {
        self.partitions.iter().all(|partition| partition.caught_up)
    }

    fn take(
        &mut self,
        number: usize,
        fetched: &Fetched<'_>,
        buffer: &mut BytesMut,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let Some(partition) = self.partitions.get_mut(number) else { return Ok(()) };
        match fetched {
            Fetched::Record(message) if message.offset() < partition.next => Ok(()),
            Fetched::Record(message) => {
                partition.next = message.offset() + 1;
                partition.dirty = true;
                partition.unreadable = None;
                self.put(&message.record(buffer, wall_clock()), number, batch)
            }
            Fetched::End(offset) => {
                partition.dirty |= *offset > partition.next;
                partition.next = partition.next.max(*offset);
                partition.caught_up = true;
                partition.unreadable = None;
                Ok(())
            }
            Fetched::Failed(code, text) => match FetchFailure::of(*code) {
                FetchFailure::OffsetGone => Err(Error::Changed(format!(
                    "topic `{}`, partition {number}, of the global table `{}`: the record at offset {} is not there \
                     any more ({text}): start the app again, and the table is read from the start",
                    self.topic, self.table.name, partition.next
                ))),
                // librdkafka goes on trying, and tells only the first time.
                FetchFailure::Forbidden | FetchFailure::Unavailable => {
                    let logged = partition.unreadable.take().and_then(|(_, logged)| logged);
                    partition.unreadable = Some((format!("{text}{}", remedy(*code)), logged));
                    Ok(())
                }
                FetchFailure::NotUnderstood | FetchFailure::Passing => {
                    tracing::debug!(topic = self.topic, partition = number, %code, "{text}");
                    Ok(())
                }
            },
        }
    }

    /// Logs the partitions that can't be read, again and again while that lasts.
    fn log_unreadable(&mut self) {
        let (topic, table) = (&self.topic, &self.table.name);
        for (partition, place) in self.partitions.iter_mut().enumerate() {
            let Some((reason, logged)) = &mut place.unreadable else { continue };
            if logged.is_none_or(|logged| logged.elapsed() > LOG_INTERVAL) {
                *logged = Some(Instant::now());
                tracing::warn!(topic, partition, table, reason, "a partition of a global table can't be read: waiting");
            }
        }
    }

    fn put(&mut self, record: &InputRecord, number: usize, batch: &mut Batch) -> Result<(), Error> {
        match global::row(&self.table, record) {
            Ok((key, row)) => Ok(batch.set(self.table.store, SHARED, &key, row.as_deref())?),
            // Every instance reads it: each would write the same dead letter.
            Err(reason) => {
                self.left_out += 1;
                let (table, offset, left_out) = (&self.table.name, record.offset, self.left_out);
                tracing::warn!(table, partition = number, offset, left_out, %reason, "a record is no row of the table");
                Ok(())
            }
        }
    }
}

fn place_of(tables: &[Table], topic: &str, number: i32) -> Option<(usize, usize)> {
    let table = tables.iter().position(|table| table.topic == topic)?;
    Some((table, usize::try_from(number).ok()?))
}

fn key(table: &GlobalTable, partition: u32) -> Vec<u8> {
    format!("{}/{partition}", table.name).into_bytes()
}

/// Whether rows that reach to this position can be brought up to date by what follows. `retention` is for how long a
/// deletion can be seen in the topic, in milliseconds.
fn is_usable(position: &Position, id: &str, (low, high): (i64, i64), retention: i64) -> bool {
    let forgotten = position.is_older_than(retention) && position.next + 1 < high;
    position.topic == id && (low..=high).contains(&position.next) && !forgotten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_anew_where_a_deletion_may_have_been_missed() {
        let at = |age, next| Position { topic: "id".into(), next, at: wall_clock() - age };
        let hour = 3_600_000;
        assert!(is_usable(&at(hour / 2, 5), "id", (0, 10), hour));
        assert!(!is_usable(&at(2 * hour, 5), "id", (0, 10), hour), "the topic keeps deletions for an hour");
        assert!(is_usable(&at(2 * hour, 5), "id", (0, 10), 24 * hour));
        assert!(is_usable(&at(2 * hour, 10), "id", (0, 10), hour), "nothing came since");
        assert!(!is_usable(&at(0, 5), "other", (0, 10), hour));
        assert!(!is_usable(&at(0, 5), "id", (6, 10), hour));
        assert!(!is_usable(&at(0, 11), "id", (0, 10), hour));
    }
}

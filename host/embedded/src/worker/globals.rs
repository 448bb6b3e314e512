//! Global tables: the worker updates them from their topics in the log, between transactions.

use millrace_engine::global;
use millrace_engine::ledger::{CounterKind, Example, Fate};
use millrace_engine::topology::{GlobalTable, Topology};
use millrace_store::{Batch, SHARED};

use super::{Cursor, Worker};
use crate::error::Error;

/// A global table with a cursor for each partition of its topic.
pub(super) struct FollowedTable {
    pub(super) table: GlobalTable,
    pub(super) cursors: Vec<Cursor>,
}

/// Most records of a partition that are read at a time.
const READ_RECORDS: usize = 1_000;

/// A read of a partition ends after this many bytes of records.
const READ_BYTES: usize = 1 << 20;

impl Worker {
    /// Whether there are new rows for global tables: then it is time to commit, and to [update](Self::update_globals)
    /// them.
    pub fn has_global_updates(&self) -> bool {
        self.globals.iter().flat_map(|global| &global.cursors).any(|cursor| cursor.lag() > 0)
    }

    /// Updates the global tables from the committed records of their topics, which arrive at `now`. Call it right after
    /// a commit, between transactions. Returns whether there were any records.
    ///
    /// # Errors
    /// The log or the state can't be read or written.
    pub fn update_globals(&mut self, now: i64) -> Result<bool, Error> {
        let mut any = false;
        while self.has_global_updates() {
            any = true;
            let mut batch = Batch::new(&self.database);
            for global in &mut self.globals {
                let FollowedTable { table, cursors } = global;
                for cursor in cursors.iter_mut().filter(|cursor| cursor.lag() > 0) {
                    let mut rows = Vec::new();
                    cursor.read(READ_RECORDS, READ_BYTES, now, |record| {
                        rows.push(global::row(table, &record).map_err(|why| (why, record.offset)));
                    })?;
                    let (topic, partition, next) = (cursor.topic(), cursor.partition(), cursor.next());
                    for row in rows {
                        match row {
                            Ok((key, row)) => batch.set(table.store, SHARED, &key, row.as_deref())?,
                            // No dead letter: on Kafka every instance reads the record, and each would write one.
                            Err((why, offset)) => {
                                let example = || dropped((&self.topology, table), (partition, offset), &why);
                                self.ledger.count_with(&table.name, CounterKind::Dropped, why.code(), 1, example);
                            }
                        }
                    }
                    self.log.commit_offset(&mut batch, &self.topology.app, topic, partition, next)?;
                }
            }
            self.database.write(batch, self.options.durability)?;
        }
        Ok(any)
    }
}

/// An example of a record that is no row.
fn dropped(
    (topology, table): (&Topology, &GlobalTable),
    (partition, offset): (u32, i64),
    why: &global::NoRow,
) -> Example {
    let topic = topology.topics.get(table.topic.0).map(|topic| topic.name.clone()).unwrap_or_default();
    Example { topic, partition, offset, reason: why.to_string(), fate: Fate::Dropped(None) }
}

//! Global tables: the worker keeps them of their topics in the log, between transactions.

use millrace_engine::global;
use millrace_engine::ledger::{CounterKind, Example, Fate};
use millrace_engine::topology::{GlobalTable, Topology};
use millrace_store::{Batch, SHARED};

use super::{Cursor, Worker};
use crate::error::Error;

/// A global table with its places in the log.
pub(super) struct Global {
    pub(super) table: GlobalTable,
    pub(super) cursors: Vec<Cursor>,
}

/// Records of a partition that are taken at a time.
const RECORDS: usize = 1_000;

/// Bytes of records of a partition that are taken at a time.
const BYTES: usize = 1 << 20;

impl Worker {
    /// Whether rows of global tables are to be changed: then it is time to commit, and to do it.
    pub fn has_news(&self) -> bool {
        self.globals.iter().flat_map(|global| &global.cursors).any(|cursor| cursor.left() > 0)
    }

    /// Changes the rows of global tables by what is committed in their topics. To be called between transactions only:
    /// right after a commit. `now` is the time at which the records arrive. Returns whether there was anything to do.
    ///
    /// # Errors
    /// The log or the state can't be read or written.
    pub fn learn(&mut self, now: i64) -> Result<bool, Error> {
        let mut any = false;
        while self.has_news() {
            any = true;
            let mut batch = Batch::new(&self.database);
            for global in &mut self.globals {
                let Global { table, cursors } = global;
                for cursor in cursors.iter_mut().filter(|cursor| cursor.left() > 0) {
                    let mut rows = Vec::new();
                    cursor.read(RECORDS, BYTES, now, |record| {
                        rows.push(global::row(table, &record).map_err(|why| (why, record.offset)));
                    })?;
                    let (topic, partition, next) = (cursor.topic(), cursor.partition(), cursor.next());
                    for row in rows {
                        match row {
                            Ok((key, row)) => batch.set(table.store, SHARED, &key, row.as_deref())?,
                            // Nobody dead-letters it: on Kafka every instance reads it.
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

/// A record that is no row.
fn dropped(
    (topology, table): (&Topology, &GlobalTable),
    (partition, offset): (u32, i64),
    why: &global::NoRow,
) -> Example {
    let topic = topology.topics.get(table.topic.0).map(|topic| topic.name.clone()).unwrap_or_default();
    Example { topic, partition, offset, reason: why.to_string(), fate: Fate::Dropped(None) }
}

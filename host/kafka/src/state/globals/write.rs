//! Writing the rows of global tables, and waiting where the disk is full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_store::{Batch, Durability};

use super::{Globals, POLL_WAIT, key};
use crate::client::native::c_name;
use crate::clock::wall_clock;
use crate::error::Error;
use crate::state::positions::Position;

/// How long to wait for room on the disk before rows are read again: at first, and at most.
const DISK_FULL_BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

impl Globals {
    /// Writes the rows that have come, with their positions. Where the disk is full, they are read again from their
    /// topics. Whether they are written.
    pub(super) fn write(&mut self) -> Result<bool, Error> {
        let mut batch = std::mem::replace(&mut self.batch, Batch::new(&self.database));
        let at = wall_clock();
        for table in &self.tables {
            for (number, partition) in (0..).zip(&table.partitions).filter(|(_, partition)| partition.dirty) {
                let position = Position { topic: table.id.clone(), next: partition.next, at };
                position.write(&mut batch, table.table.store, &key(&table.table, number))?;
            }
        }
        let result = if batch.is_empty() { Ok(()) } else { self.database.write(batch, Durability::Buffered) };
        if let Err(error) = result {
            if !matches!(error, millrace_store::Error::Full { .. }) {
                return Err(error.into());
            }
            self.read_again()?;
            return Ok(false);
        }
        for partition in self.tables.iter_mut().flat_map(|table| &mut table.partitions) {
            (partition.unwritten, partition.dirty) = (partition.next, false);
        }
        self.full = 0;
        Ok(true)
    }

    pub(super) fn write_or_wait(&mut self, stop: &AtomicBool) -> Result<bool, Error> {
        let written = self.write()?;
        if !written {
            self.wait_for_room(stop);
        }
        Ok(written)
    }

    /// Reads again from the last written positions.
    fn read_again(&mut self) -> Result<(), Error> {
        for table in &mut self.tables {
            let name = c_name(&table.topic);
            for (number, partition) in (0..).zip(&mut table.partitions).filter(|(_, partition)| partition.dirty) {
                (partition.next, partition.dirty, partition.caught_up) = (partition.unwritten, false, false);
                self.fetcher.leave(&name, number)?;
                self.fetcher.enter(&name, number, partition.next)?;
            }
        }
        Ok(())
    }

    /// Waits, longer each time: it takes a person to free room on a disk.
    pub(super) fn wait_for_room(&mut self, stop: &AtomicBool) {
        let wait = DISK_FULL_BACKOFF.0.saturating_mul(1 << self.full.min(16)).min(DISK_FULL_BACKOFF.1);
        self.full = self.full.saturating_add(1);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::error!(
            wait_ms,
            "rows of global tables can't be written: no space left on the disk; they are read again after a while"
        );
        let until = Instant::now() + wait;
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(POLL_WAIT);
        }
    }
}

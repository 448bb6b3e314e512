//! Bringing the local state up to what is committed, where it was kept back.

use millrace_store::{Batch, Durability};

use super::Worker;
use super::commit::WRITE_LIMIT_BYTES;
use crate::error::Reaction;
use crate::state::postponed::PostponedWrites;

/// Bytes of changes that the workers keep back from the local state, all together.
const POSTPONED_LIMIT_BYTES: usize = 32 << 20;

/// After so many changes the database is to write its buffers to disk: as many come from the changelog after a crash, as
/// no log has them.
const UNFLUSHED_CHANGES_LIMIT: u64 = 1_000_000;

impl Worker {
    fn postponed(&self) -> impl Iterator<Item = &PostponedWrites> {
        self.seats.iter().flat_map(|seat| &seat.slots).filter_map(|slot| slot.postponed.as_ref())
    }

    /// Writes what was kept back from the local state, if it is too much.
    pub(super) fn write_postponed(&mut self) -> Result<(), Reaction> {
        let bytes = |worker: &Self| worker.postponed().map(PostponedWrites::bytes).sum::<usize>();
        let most = POSTPONED_LIMIT_BYTES / self.shared.topology.settings.threads.max(1);
        if bytes(self) > most {
            self.postponed().for_each(PostponedWrites::prune);
            // To look through so much again and again for so little would cost more than to write it.
            if bytes(self) > most / 2 {
                self.write_all_postponed()?;
            }
        }
        self.write_old_postponed()
    }

    /// Writes what was kept back, all of it to disk, if it is old or was much: also of who has nothing to do any more,
    /// because its changelog doesn't keep it for ever.
    pub(super) fn write_old_postponed(&mut self) -> Result<(), Reaction> {
        let changes = self.postponed().map(PostponedWrites::changes).sum::<u64>();
        if changes >= UNFLUSHED_CHANGES_LIMIT || self.postponed().any(PostponedWrites::is_old) {
            self.write_all_postponed()?;
            if self.shared.database.begin_flush()? {
                self.postponed().for_each(PostponedWrites::flushed);
            }
        }
        Ok(())
    }

    /// Writes all that was kept back from the local state.
    pub(super) fn write_all_postponed(&mut self) -> Result<(), Reaction> {
        let mut batch = Batch::new(&self.shared.database);
        for postponed in self.postponed() {
            postponed.write(&self.shared.database, &mut batch)?;
            if batch.bytes() >= WRITE_LIMIT_BYTES {
                let whole = std::mem::replace(&mut batch, Batch::new(&self.shared.database));
                self.shared.database.write(whole, Durability::Buffered)?;
            }
        }
        if !batch.is_empty() {
            self.shared.database.write(batch, Durability::Buffered)?;
        }
        Ok(())
    }
}

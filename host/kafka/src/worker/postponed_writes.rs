//! Writing committed changes to the local state that were kept back from it.

use millrace_store::{Batch, Durability};

use super::Worker;
use super::commit::WRITE_LIMIT_BYTES;
use crate::error::Reaction;
use crate::state::postponed::PostponedWrites;

/// Bytes of changes that the workers keep back from the local state, all together.
const POSTPONED_LIMIT_BYTES: usize = 32 << 20;

/// After so many changes the database flushes its buffers to disk: no write-ahead log has them, so after a crash they
/// all come from the changelog.
const UNFLUSHED_CHANGES_LIMIT: u64 = 1_000_000;

impl Worker {
    /// Writes the changes that were kept back, if they take too much memory.
    pub(super) fn write_postponed(&mut self) -> Result<(), Reaction> {
        let bytes = |worker: &Self| worker.tasks.postponed().map(PostponedWrites::bytes).sum::<usize>();
        let most = POSTPONED_LIMIT_BYTES / self.shared.topology.settings.threads.max(1);
        if bytes(self) > most {
            self.tasks.postponed().for_each(PostponedWrites::prune);
            // To prune so much again and again for so little would cost more than to write it.
            if bytes(self) > most / 2 {
                self.write_all_postponed()?;
            }
        }
        self.write_old_postponed()
    }

    /// Writes the changes that were kept back, all of them to disk, if one is old or they are many. Idle tasks do so
    /// too, because their changelogs don't keep them for ever.
    pub(super) fn write_old_postponed(&mut self) -> Result<(), Reaction> {
        let changes = self.tasks.postponed().map(PostponedWrites::changes).sum::<u64>();
        if changes >= UNFLUSHED_CHANGES_LIMIT || self.tasks.postponed().any(PostponedWrites::is_old) {
            self.write_all_postponed()?;
            if self.shared.database.begin_flush()? {
                self.tasks.postponed().for_each(PostponedWrites::flushed);
            }
        }
        Ok(())
    }

    /// Writes all changes that were kept back.
    pub(super) fn write_all_postponed(&mut self) -> Result<(), Reaction> {
        let mut batch = Batch::new(&self.shared.database);
        for postponed in self.tasks.postponed() {
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

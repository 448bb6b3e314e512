//! Reading column families directly, such as those of the driver.

use bytes::Bytes;
use millrace_engine::ports::Scan;
use rocksdb::ReadOptions;

use crate::database::Database;
use crate::error::Error;
use crate::prefix;

impl Database {
    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family. Otherwise it can't be read.
    pub fn get(&self, family: &str, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let found = self.db.get_pinned_cf_opt(self.family(family)?, key, &self.read);
        let found = found.map_err(|error| self.error(&error))?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Visits the entries from `from` (inclusive) to `to` (exclusive; `None`: the end), in the order of their keys. It
    /// sees the entries as they were when it began.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family. Otherwise they can't be read.
    pub fn scan(
        &self,
        family: &str,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), Error> {
        // A range that ends before it begins is empty; RocksDB doesn't define it.
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        if let Some(to) = to {
            // Without the bound, the iterator would go on through deleted entries after the range.
            options.set_iterate_upper_bound(to);
        }
        prefix::set_order(&mut options, from, to);
        let mut entries = self.db.raw_iterator_cf_opt(self.family(family)?, options);
        entries.seek(from);
        while let Some((key, value)) = entries.item() {
            if visit(key, value) == Scan::Stop {
                return Ok(());
            }
            entries.next();
        }
        entries.status().map_err(|error| self.error(&error))
    }

    /// The last entry from `from` to `to`, both inclusive.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family. Otherwise it can't be read.
    pub fn last(&self, family: &str, from: &[u8], to: &[u8]) -> Result<Option<(Bytes, Bytes)>, Error> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_total_order_seek(true);
        let mut entries = self.db.raw_iterator_cf_opt(self.family(family)?, options);
        entries.seek_for_prev(to);
        let found = entries.item().map(|(key, value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        entries.status().map_err(|error| self.error(&error))?;
        Ok(found)
    }

    /// The highest key of a family.
    pub(crate) fn last_key(&self, family: &str) -> Result<Option<Bytes>, Error> {
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        let mut entries = self.db.raw_iterator_cf_opt(self.family(family)?, options);
        entries.seek_to_last();
        let found = entries.key().map(Bytes::copy_from_slice);
        entries.status().map_err(|error| self.error(&error))?;
        Ok(found)
    }
}

//! Opening a database.

use std::collections::BTreeSet;
use std::path::Path;

use rocksdb::{ColumnFamilyDescriptor, DB, DEFAULT_COLUMN_FAMILY_NAME, Options};

use super::{Database, Store};
use crate::error::Error;
use crate::options::{OpenOptions, Shape};
use crate::tuning::{self, Memory};
use crate::{families, format};

impl Database {
    /// Opens the database in this folder, or creates one if the folder is empty or missing. Missing stores and families
    /// are created; those that the options don't name stay as they are ([`Database::unused`]).
    ///
    /// # Errors
    /// [`Error::Locked`]: another process has the database open. [`Error::NotOurs`]: the folder is something else, or
    /// has a newer format. [`Error::Corrupt`]: the database is damaged.
    pub fn open(path: &Path, options: &OpenOptions<'_>) -> Result<Self, Error> {
        format::claim(path)?;
        format::check_log(path)?;
        let memory = Memory::new(options.memory);
        let database = tuning::database(&memory, options.wal, format::is_of_this_boot(path));
        let stores: Vec<_> = options.stores.iter().map(|spec| Store::of(spec, options.wal)).collect();
        let mut descriptors = Vec::new();
        for (store, spec) in stores.iter().zip(options.stores) {
            let settings = tuning::store(&memory, spec.kind, &store.watermarks);
            descriptors.push(ColumnFamilyDescriptor::new(&store.family, settings));
        }
        for family in options.families {
            descriptors.push(ColumnFamilyDescriptor::new(family.name, tuning::family(&memory, family.shape)));
        }
        descriptors
            .push(ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, tuning::family(&memory, Shape::Entries)));
        check_names(path, &descriptors)?;
        let unused = add_unused(path, &memory, &database, &mut descriptors)?;
        let names = descriptors.iter().map(|family| family.name().to_owned()).collect();
        let db =
            DB::open_cf_descriptors(&database, path, descriptors).map_err(|error| Error::from_rocksdb(path, &error))?;
        format::record_boot(path);
        Ok(Self::new(path, db, memory, stores, names, unused))
    }

    /// Opens the database in this folder for reading only, also while another process is writing to it.
    ///
    /// Reads see the database as it was when it was opened: all that the other process had written by then, except for
    /// stores without a write-ahead log, of which they see what was flushed. To see later writes, open it again. All
    /// stores are there, and [`Database::store`] finds them by name. Writing is an error.
    ///
    /// # Errors
    /// [`Error::NotOurs`]: there is no database, or one of a newer format. [`Error::Corrupt`]: it is damaged, or the
    /// other process replaced its files during every attempt.
    pub fn open_read_only(path: &Path) -> Result<Self, Error> {
        format::check(path)?;
        // If the other process compacts files between the reading of their list and their opening, they are gone: then
        // there is a new list.
        let mut attempt = 0;
        loop {
            match Self::try_open_read_only(path) {
                Err(Error::Corrupt { .. }) if attempt < OPEN_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn try_open_read_only(path: &Path) -> Result<Self, Error> {
        let memory = Memory::new(OpenOptions::DEFAULT_MEMORY);
        format::check_log(path)?;
        let database = tuning::recovery(format::is_of_this_boot(path));
        let names = existing(path, &database)?;
        let stores =
            names.iter().filter_map(|family| families::store_of(family)).map(|name| Store::new(name, true)).collect();
        let descriptors =
            names.iter().map(|name| ColumnFamilyDescriptor::new(name, tuning::family(&memory, Shape::Entries)));
        let db = DB::open_cf_descriptors_read_only(&database, path, descriptors, false)
            .map_err(|error| Error::from_rocksdb(path, &error))?;
        Ok(Self::new(path, db, memory, stores, names, Vec::new()))
    }
}

/// Attempts to open a database to which another process is writing.
const OPEN_ATTEMPTS: usize = 20;

fn check_names(path: &Path, descriptors: &[ColumnFamilyDescriptor]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for family in descriptors {
        if !families::is_valid(family.name()) || !seen.insert(family.name()) {
            let reason = format!("column family {:?}: the name is used twice or is invalid", family.name());
            return Err(Error::Other { path: path.into(), reason });
        }
    }
    Ok(())
}

/// The families that the database has; none if it is new.
fn existing(path: &Path, database: &Options) -> Result<BTreeSet<String>, Error> {
    if !path.join("CURRENT").exists() {
        return Ok(BTreeSet::new());
    }
    let names = DB::list_cf(database, path).map_err(|error| Error::from_rocksdb(path, &error))?;
    Ok(names.into_iter().collect())
}

/// Adds the families that the options don't name: RocksDB opens all families or none.
fn add_unused(
    path: &Path,
    memory: &Memory,
    database: &Options,
    descriptors: &mut Vec<ColumnFamilyDescriptor>,
) -> Result<Vec<String>, Error> {
    let mut unused = existing(path, database)?;
    for family in &*descriptors {
        unused.remove(family.name());
    }
    for name in &unused {
        descriptors.push(ColumnFamilyDescriptor::new(name, tuning::family(memory, Shape::Entries)));
    }
    Ok(unused.into_iter().collect())
}

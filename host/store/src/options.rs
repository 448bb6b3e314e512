//! What a database is opened with.

use millrace_engine::topology::StoreSpec;

/// What a column family of the driver's holds, and so how it is laid out on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Small values, read by key.
    Entries,
    /// Values of many kilobytes that are written once and read in order: they are kept out of the sorted tree, so that
    /// compaction doesn't copy them.
    Blocks,
}

/// A column family of the driver's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Family<'a> {
    /// Name. Not `default`, and not beginning with `s.`, which is how stores are named.
    pub name: &'a str,
    /// What it holds.
    pub shape: Shape,
}

/// Which writes go to a write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wal {
    /// All: what is written outlives the process.
    #[default]
    Everything,
    /// All but those to window stores, and what is put [beside](crate::Batch::put_beside) them: what was written there
    /// since the last flush is lost when the process dies, and who opens the database replays it from elsewhere. Windows
    /// are most of what a join writes, nobody queries them, and the log would be a third copy. All families are then
    /// flushed together, so that windows and what is beside them are lost together.
    WithoutWindows,
}

/// What to open a database with.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions<'a> {
    /// The topology's stores: a [`StoreId`](millrace_engine::ports::StoreId) is an index into them.
    pub stores: &'a [StoreSpec],
    /// The driver's own column families.
    pub families: &'a [Family<'a>],
    /// Bytes of memory for cached blocks and write buffers together.
    pub memory: usize,
    /// Which writes go to a write-ahead log first.
    pub wal: Wal,
}

impl<'a> OpenOptions<'a> {
    /// Memory for cached blocks and write buffers, unless told otherwise.
    pub const DEFAULT_MEMORY: usize = 64 << 20;

    /// These stores, no other families, with a write-ahead log for everything.
    pub fn new(stores: &'a [StoreSpec]) -> Self {
        Self { stores, families: &[], memory: Self::DEFAULT_MEMORY, wal: Wal::Everything }
    }
}

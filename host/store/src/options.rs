//! Options for opening a database.

use millrace_engine::topology::StoreSpec;

/// The layout of a driver's column family on disk.
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
    /// Layout.
    pub shape: Shape,
}

/// Which writes go to a write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wal {
    /// All: every write survives the process.
    #[default]
    Everything,
    /// All except those to window stores, and keys put [beside](crate::Batch::put_beside) these. When the process dies,
    /// their writes since the last flush are lost, and the driver restores them from the changelog. Windows are most of
    /// the writes of a join, queries don't read them, and the log would be a third copy. All families are flushed
    /// together, so that windows and the keys beside them are lost together.
    WithoutWindows,
}

/// Options for opening a database.
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
    /// The default of [`memory`](Self::memory).
    pub const DEFAULT_MEMORY: usize = 64 << 20;

    /// These stores and no other families, with a write-ahead log for all writes.
    pub fn new(stores: &'a [StoreSpec]) -> Self {
        Self { stores, families: &[], memory: Self::DEFAULT_MEMORY, wal: Wal::Everything }
    }
}

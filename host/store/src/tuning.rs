//! RocksDB's settings.

use millrace_engine::topology::StoreKind;
use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, LruCacheOptions, Options, WriteBufferManager,
};

use crate::expiry::{ExpiryFactory, Watermarks};
use crate::options::{Shape, Wal};
use crate::prefix;

/// Cached blocks and write buffers, under one limit: write buffers are charged to the cache.
pub(crate) struct Memory {
    pub(crate) cache: Cache,
    pub(crate) buffers: WriteBufferManager,
    /// Size of one write buffer in bytes.
    buffer: usize,
}

impl Memory {
    pub(crate) fn new(total: usize) -> Self {
        let mut options = LruCacheOptions::default();
        options.set_capacity(total);
        // Few threads share the cache; more shards would each be too small for the filter of a large file.
        options.set_num_shard_bits(2);
        let cache = Cache::new_lru_cache_opts(&options);
        let share = total / 2;
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(share, false, cache.clone());
        Self { cache, buffers, buffer: (share / 2).clamp(1 << 20, 32 << 20) }
    }
}

/// Settings of the whole database.
pub(crate) fn database(memory: &Memory, wal: Wal, same_boot: bool) -> Options {
    let mut options = recovery(same_boot);
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_atomic_flush(wal == Wal::WithoutWindows);
    options.set_write_buffer_manager(&memory.buffers);
    options.set_max_total_wal_size(4 * memory.buffer as u64);
    options.set_wal_bytes_per_sync(1 << 20);
    options.set_bytes_per_sync(1 << 20);
    options.set_max_background_jobs(2);
    options.set_max_subcompactions(1);
    // Few threads write large batches: a lock per batch is cheaper than one per entry.
    options.set_allow_concurrent_memtable_write(false);
    options.set_enable_write_thread_adaptive_yield(false);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options
}

/// How the write-ahead log is read when a database is opened.
///
/// A killed process leaves all that it has written, and perhaps a truncated last record. So in the same boot of the
/// machine, any other damage is an error; by default, RocksDB would silently drop all records from there on. After a
/// power failure, unsynced pages may be missing in any order. Then RocksDB's default is right: it ends at the first
/// gap, after all that was synced.
pub(crate) fn recovery(same_boot: bool) -> Options {
    let mut options = Options::default();
    options.set_wal_recovery_mode(match same_boot {
        true => DBRecoveryMode::TolerateCorruptedTailRecords,
        false => DBRecoveryMode::PointInTime,
    });
    options.set_track_and_verify_wals_in_manifest(true);
    options
}

/// Settings of a store's family.
pub(crate) fn store(memory: &Memory, kind: StoreKind, watermarks: &Watermarks) -> Options {
    let mut options = entries(memory);
    if kind.retention().is_some() {
        // Most entries expire before they are read again.
        options.set_compression_type(DBCompressionType::None);
        options.set_compaction_filter_factory(ExpiryFactory(watermarks.clone()));
        options.set_prefix_extractor(prefix::extractor());
        // A scan of a range reads each file that has the key. Merging files earlier than in other stores also drops
        // expired entries earlier: measured, it takes less CPU and half the disk space.
        options.set_level_zero_file_num_compaction_trigger(4);
    }
    options
}

/// Settings of a family of the driver's.
pub(crate) fn family(memory: &Memory, shape: Shape) -> Options {
    match shape {
        Shape::Entries => entries(memory),
        Shape::Blocks => blocks(memory),
    }
}

fn entries(memory: &Memory) -> Options {
    let mut options = common(memory);
    // Compression takes less time than it saves in writing, caching and reading.
    options.set_compression_type(DBCompressionType::Lz4);
    // Most lookups of tables and joins are of missing keys.
    options.set_memtable_prefix_bloom_ratio(0.02);
    options.set_memtable_whole_key_filtering(true);
    options
}

fn blocks(memory: &Memory) -> Options {
    let mut options = common(memory);
    options.set_enable_blob_files(true);
    options.set_min_blob_size(512);
    options.set_blob_file_size(64 << 20);
    options.set_blob_compression_type(DBCompressionType::Lz4);
    options.set_compression_type(DBCompressionType::None);
    options
}

fn common(memory: &Memory) -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(memory.buffer);
    options.set_level_compaction_dynamic_level_bytes(true);
    // Merging new files into the first level rewrites all of it. With filters, more files before a merge are cheap to
    // read.
    options.set_level_zero_file_num_compaction_trigger(8);
    options.set_level_zero_slowdown_writes_trigger(24);
    options.set_level_zero_stop_writes_trigger(36);
    options.set_target_file_size_base(32 << 20);
    options.set_max_bytes_for_level_base(128 << 20);
    options.set_block_based_table_factory(&tables(memory));
    options
}

fn tables(memory: &Memory) -> BlockBasedOptions {
    let mut tables = BlockBasedOptions::default();
    tables.set_block_cache(&memory.cache);
    tables.set_block_size(16 << 10);
    tables.set_bloom_filter(10.0, false);
    tables.set_optimize_filters_for_memory(true);
    tables.set_cache_index_and_filter_blocks(true);
    tables.set_cache_index_and_filter_blocks_with_high_priority(true);
    tables.set_pin_l0_filter_and_index_blocks_in_cache(true);
    tables.set_format_version(6);
    tables
}

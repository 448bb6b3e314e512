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
        // Few threads share it; more shards would each be too small for a filter of a large file.
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
    // Batches come from few threads and are large: locking per batch is cheaper than per entry.
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
/// A process that was killed has left what it had written, and a last record that may be cut off. So in the same boot of
/// the machine, other damage is real, and an error: RocksDB by default ends there, and drops all that follows without a word.
/// After a power failure, what wasn't synced may be there in part and in any order: then RocksDB's default is right, which
/// ends at the first gap, behind all that was synced.
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
        // Most of it has expired before it is read again.
        options.set_compression_type(DBCompressionType::None);
        options.set_compaction_filter_factory(ExpiryFactory(watermarks.clone()));
        options.set_prefix_extractor(prefix::extractor());
        // Windows are looked for by ranges, and each file that has the key is another place to look. Merging earlier than
        // other stores also drops earlier what has expired: measured, it costs less CPU and half the disk.
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
    // Cheaper than none: what it takes to compress is less than what it saves in writing, caching and reading.
    options.set_compression_type(DBCompressionType::Lz4);
    // A key that isn't there is the common case in tables and joins.
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
    // Each time what is new is merged into the first level, all of that is written anew. Filters make more files there
    // cheap to read.
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

//! What a store costs: CPU per entry and memory, for a table that is filled, one that is read and updated, keys
//! that aren't there, a join window that moves on, and a log.
//!
//! `cargo run --example cost -- [table|update|miss|window|log|nothing] [ENTRIES] [MIB OF MEMORY]`; each in a process of
//! its own, so that their memory doesn't add up. `nothing` only makes the entries: to be taken off.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::ports::{Backend, StoreChanges, StoreId};
use millrace_engine::state::keys::{part, window_key};
use millrace_engine::topology::{StoreKind, StoreSpec};
use millrace_store::{Batch, Database, Durability, Family, OpenOptions, Shape};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Entries of one batch.
const BATCH: u64 = 1_000;
/// Bytes of a value.
const VALUE: usize = 320;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "table".into());
    let entries: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let memory: usize = arguments.next().map_or(Ok(96), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let database = open(folder.path(), memory << 20)?;
    if what == "miss" {
        table(&database, entries, false)?;
    }
    let begin = (Instant::now(), cpu_seconds()?);
    match what.as_str() {
        "table" => table(&database, entries, false)?,
        "update" => table(&database, entries, true)?,
        "window" => window(&database, entries)?,
        "log" => log(&database, entries)?,
        "miss" => miss(&database, entries)?,
        "nothing" => (0..entries).for_each(|n| drop(std::hint::black_box((key(n), value(n))))),
        other => return Err(format!("{other}: table, update, miss, window, log or nothing").into()),
    }
    let written = (begin.0.elapsed().as_secs_f64(), cpu_seconds()? - begin.1);
    database.flush()?;
    let cpu = cpu_seconds()? - begin.1;
    let micros = |seconds: f64| seconds * 1e6 / entries as f64;
    println!(
        "{what}: {:.2} us wall, {:.2} us CPU an entry, {:.2} us with the last flush; peak RSS {} MiB, disk {} MiB",
        micros(written.0),
        micros(written.1),
        micros(cpu),
        peak_rss_mib()?,
        database.statistics()?.disk >> 20,
    );
    Ok(())
}

fn open(path: &Path, memory: usize) -> Outcome<Arc<Database>> {
    let spec =
        |name: &str, kind| StoreSpec { name: name.into(), kind, key: KeyCodec::I64, queryable: true, subtopology: 0 };
    let stores = [spec("table", StoreKind::Table), spec("window", StoreKind::WindowRecords { retention: 10_000 })];
    let families = [Family { name: "log", shape: Shape::Blocks }];
    let options = OpenOptions { families: &families, memory, ..OpenOptions::new(&stores) };
    Ok(Arc::new(Database::open(path, &options)?))
}

/// Like an order: JSON with numbers that differ.
fn value(n: u64) -> Bytes {
    let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text = format!(
        "{{\"orderId\":{n},\"customer\":\"customer-{}\",\"product\":\"product-{}\",\"amount\":{}.{:02},\"currency\":\"EUR\",\
         \"payment\":{{\"status\":\"ACCEPT\",\"reference\":\"{noise:016x}\"}},\"stock\":{{\"status\":\"ACCEPT\",\
         \"warehouse\":\"w{}\"}},\"trace\":\"{:032x}\",\"note\":\"",
        noise % 10_007,
        noise % 997,
        noise % 5_000,
        noise % 100,
        noise % 13,
        u128::from(noise) * u128::from(noise),
    );
    while text.len() < VALUE - 2 {
        text.push('-');
    }
    text.push_str("\"}");
    text.into()
}

/// Every key of `0..entries` once, those of ten batches mixed: orders come nearly in order.
fn key(n: u64) -> Bytes {
    let span = 10 * BATCH;
    let near = n / span * span + n.wrapping_mul(7_919) % span;
    Bytes::copy_from_slice(&near.to_be_bytes())
}

fn table(database: &Arc<Database>, entries: u64, update: bool) -> Outcome<()> {
    let backend = database.backend(0);
    for first in (0..entries).step_by(BATCH as usize) {
        let mut changes = StoreChanges { store: StoreId(0), entries: Vec::new(), expire_before: None };
        for n in first..(first + BATCH).min(entries) {
            // Every key four times, and far apart.
            let key = if update { key(n.wrapping_mul(48_271) % (entries / 4)) } else { key(n) };
            if update {
                backend.get(StoreId(0), &key)?;
            }
            changes.entries.push((key, Some(value(n))));
        }
        changes.entries.sort_by(|one, other| one.0.cmp(&other.0));
        write(database, &changes)?;
    }
    Ok(())
}

/// Keys between those that are there.
fn miss(database: &Arc<Database>, entries: u64) -> Outcome<()> {
    let backend = database.backend(0);
    for n in 0..entries {
        let between = [&key(n)[..], b"x"].concat();
        if backend.get(StoreId(0), &between)?.is_some() {
            return Err("found what isn't there".into());
        }
    }
    Ok(())
}

fn window(database: &Arc<Database>, entries: u64) -> Outcome<()> {
    for first in (0..entries).step_by(BATCH as usize) {
        let range = first..(first + BATCH).min(entries);
        let mut entries: Vec<_> =
            range.map(|n| (window_key(part::LEFT, &key(n), n as i64, n), Some(value(n)))).collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        let before = (first as i64).saturating_sub(10_000);
        write(database, &StoreChanges { store: StoreId(1), entries, expire_before: Some([before; 2]) })?;
    }
    Ok(())
}

fn log(database: &Arc<Database>, entries: u64) -> Outcome<()> {
    let per_block = 200;
    for first in (0..entries).step_by(BATCH as usize) {
        let mut batch = Batch::new(database);
        for base in (first..(first + BATCH).min(entries)).step_by(per_block) {
            let block: Vec<u8> = (base..base + per_block as u64).flat_map(value).collect();
            batch.put("log", &base.to_be_bytes(), &block)?;
        }
        database.write(batch, Durability::Buffered)?;
    }
    Ok(())
}

fn write(database: &Arc<Database>, changes: &StoreChanges) -> Outcome<()> {
    let mut batch = Batch::new(database);
    batch.apply(changes, 0)?;
    Ok(database.write(batch, Durability::Buffered)?)
}

/// CPU time of all threads of the process so far.
fn cpu_seconds() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or_default()).sum();
    Ok(ticks as f64 / 100.0)
}

fn peak_rss_mib() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? >> 10)
}

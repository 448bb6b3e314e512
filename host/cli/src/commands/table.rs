//! `millrace table`: prints rows by key, range and page.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::ports::{Backend, Scan, StoreId};
use millrace_engine::state::keys::{decode_row, window_of_row};
use millrace_store::Database;

use crate::args::TableCommand;
use crate::data;
use crate::lines;

/// Prints rows.
///
/// # Errors
/// The data folder, the table or the key is wrong, or there is no such row.
pub fn table(command: TableCommand) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match command {
        TableCommand::Get { table, key, data } => {
            let table = Table::open(&data::folder(data.folder.as_deref())?, &table)?;
            let bytes = table.key(&key)?;
            let row = table.get(&bytes)?.ok_or_else(|| anyhow!("table `{}` has no row `{key}`", table.name))?;
            table.print(&bytes, row, &mut out)?;
        }
        TableCommand::Scan { table, data, page, size, from, to } => {
            let table = Table::open(&data::folder(data.folder.as_deref())?, &table)?;
            let from = from.map(|key| table.key(&key)).transpose()?;
            let to = to.map(|key| table.key(&key)).transpose()?;
            for (key, row) in table.page(from, to, page.saturating_mul(size), size)? {
                table.print(&key, row, &mut out)?;
            }
        }
    }
    Ok(out.flush()?)
}

/// A table of a data folder, over all its partitions.
struct Table {
    name: String,
    codec: KeyCodec,
    store: StoreId,
    database: Arc<Database>,
}

type Row = (Bytes, Bytes);

/// Stored keys from the first (inclusive) to the second (exclusive).
type Range = (&'static [u8], Option<&'static [u8]>);

fn is_in((low, high): Range, key: &[u8]) -> bool {
    low <= key && high.is_none_or(|high| key < high)
}

impl Table {
    fn open(folder: &Path, name: &str) -> Result<Self> {
        let (database, tables) = data::open_tables(folder)?;
        let store = database.store(name);
        match (tables.get(name), store) {
            (Some(codec), Some(store)) => Ok(Self { name: name.to_owned(), codec: *codec, store, database }),
            _ if tables.is_empty() => {
                bail!(
                    "there is no table `{name}`: no pipeline with a [[table]] has run here yet; to keep the records of a step as a table, add a [[table]] with from = \"STEP\""
                )
            }
            _ => {
                let names: Vec<_> = tables.keys().map(|name| format!("`{name}`")).collect();
                bail!(
                    "there is no table `{name}`; there are {}; to keep the records of a step as a table, add a [[table]] with from = \"STEP\"",
                    names.join(", ")
                )
            }
        }
    }

    fn key(&self, text: &str) -> Result<Bytes> {
        match self.codec {
            KeyCodec::I64 => {
                let number: i64 = text
                    .parse()
                    .map_err(|_| anyhow!("key `{text}`: this table's keys are whole numbers of 64 bits"))?;
                Ok(Bytes::copy_from_slice(&number.to_be_bytes()))
            }
            KeyCodec::String => Ok(Bytes::copy_from_slice(text.as_bytes())),
            KeyCodec::Bytes => Ok(BASE64
                .decode(text)
                .with_context(|| format!("key `{text}`: this table's keys are given in base64"))?
                .into()),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        for partition in self.database.partitions(self.store)? {
            if let Some(row) = self.database.backend(partition).get(self.store, key)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// At most `size` rows after the first `skip`, in the order of keys over all partitions.
    fn page(&self, from: Option<Bytes>, to: Option<Bytes>, skip: u64, size: u64) -> Result<Vec<Row>> {
        let wanted = usize::try_from(skip.saturating_add(size)).unwrap_or(usize::MAX);
        let mut rows: Vec<Row> = Vec::new();
        for partition in self.database.partitions(self.store)? {
            let before_from = |range: &Range| from.as_ref().is_some_and(|from| !is_in(*range, from));
            for range in self.ranges().into_iter().skip_while(before_from) {
                self.collect(partition, range, &from, &to, wanted, &mut rows)?;
            }
            rows.sort_by_cached_key(|(key, _)| self.order(key));
            rows.truncate(wanted);
        }
        Ok(rows.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).collect())
    }

    fn collect(
        &self,
        partition: u32,
        (low, high): Range,
        from: &Option<Bytes>,
        to: &Option<Bytes>,
        wanted: usize,
        rows: &mut Vec<Row>,
    ) -> Result<()> {
        let mut left = wanted;
        let inside = |key: &[u8]| {
            let order = self.order(key);
            from.as_ref().is_none_or(|from| self.order(from) <= order)
                && to.as_ref().is_none_or(|to| order <= self.order(to))
        };
        let start = from.as_deref().filter(|from| is_in((low, high), from)).unwrap_or(low);
        self.database.backend(partition).scan(self.store, start, high, &mut |key, row| {
            if inside(key) {
                rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(row)));
                left -= 1;
                return if left == 0 { Scan::Stop } else { Scan::Continue };
            }
            if to.as_ref().is_some_and(|to| self.order(key) > self.order(to)) { Scan::Stop } else { Scan::Continue }
        })?;
        Ok(())
    }

    /// The ranges of stored keys in the order of their values: negative numbers come first, although their bytes sort
    /// last. Each key is in one range.
    fn ranges(&self) -> Vec<Range> {
        match self.codec {
            KeyCodec::I64 => vec![(&[0x80], None), (&[], Some(&[0x80]))],
            KeyCodec::String | KeyCodec::Bytes => vec![(&[], None)],
        }
    }

    /// A sort key that puts keys in the order of their values.
    fn order(&self, key: &[u8]) -> (bool, Bytes) {
        let positive = self.codec != KeyCodec::I64 || key.first().is_some_and(|byte| byte & 0x80 == 0);
        (positive, Bytes::copy_from_slice(key))
    }

    fn print(&self, key: &[u8], row: Bytes, out: &mut impl Write) -> Result<()> {
        let (timestamp, value) = decode_row(&row).context("a row is shorter than its header")?;
        let mut line = Vec::new();
        let row = lines::Row { key, value: &value, timestamp, window: window_of_row(&row) };
        lines::print_row(&mut line, &row, self.codec)?;
        Ok(out.write_all(&line)?)
    }
}

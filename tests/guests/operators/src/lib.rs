//! Rules that do next to nothing, so that what is measured and tested are the operators around them.

use std::time::Duration;

use millrace_sdk::prelude::*;

/// The left side, or the right one where that is missing, and whether both were there.
#[join]
pub fn pair(left: Option<Doc>, right: Option<Doc>) -> Option<Doc> {
    let both = left.is_some() && right.is_some();
    let mut side = left.or(right)?;
    side.set("paired", both);
    Some(side)
}

/// Records by the last two digits of their number.
#[transform(rekey)]
pub fn by_group(record: Doc) -> Result<Output> {
    Ok(Output::new().key(record.i64("id")?.rem_euclid(100)).unchanged())
}

/// Takes the time of so many rounds of arithmetic.
#[transform]
pub fn work(record: Doc) -> Result<Doc> {
    let mut number = 1_u64;
    for round in 0..record.i64("rounds")?.cast_unsigned() {
        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round));
    }
    Ok(record)
}

/// Number of records of a key, and the sum of their amounts.
pub struct Counts;

#[aggregate]
impl Aggregate for Counts {
    type Key = i64;
    type Input = Doc;
    type State = Count;
    type Output = Count;

    fn init(_key: &i64) -> Count {
        Count::default()
    }

    fn add(count: &mut Count, _key: &i64, record: Doc, _ctx: &Ctx) -> Result<()> {
        count.records += 1;
        count.amount += record.i64("amount")?;
        Ok(())
    }

    fn subtract(count: &mut Count, _key: &i64, record: Doc, _ctx: &Ctx) -> Result<()> {
        count.records -= 1;
        count.amount -= record.i64("amount")?;
        Ok(())
    }

    fn merge(mut earlier: Count, later: Count, _key: &i64) -> Result<Count> {
        earlier.records += later.records;
        earlier.amount += later.amount;
        Ok(earlier)
    }

    fn result(count: &Count, _key: &i64, _ctx: &Ctx) -> Result<Count> {
        Ok(count.clone())
    }
}

/// What [`Counts`] counts.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Count {
    records: i64,
    amount: i64,
}

impl State for Count {
    const VERSION: u32 = 1;
}

/// Counts the records of a key until none has come for a minute of event time, and then puts out the count.
#[process(on_timer = silent)]
pub fn until_silent(key: Key<i64>, _record: Doc, counts: Store<i64, Count>, timers: Timers) -> Result<Option<Count>> {
    let mut count = counts.get(&key)?.unwrap_or_default();
    count.records += 1;
    counts.put(&key, &count)?;
    timers.set_after("silent", Duration::from_secs(60), Clock::Stream);
    Ok(None)
}

/// Nothing has come for a minute.
#[on_timer]
pub fn silent(key: Key<i64>, counts: Store<i64, Count>) -> Result<Option<Count>> {
    let count = counts.get(&key)?;
    counts.delete(&key);
    Ok(count)
}

plugin! { name: "operators", functions: [pair, by_group, work, Counts, until_silent] }

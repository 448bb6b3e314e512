//! The next version of the plugin `operators`: it reads the state of the version before, which can't read what this one
//! writes.

use millrace_sdk::prelude::*;

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
    const VERSION: u32 = 2;
    const READS: &'static [u32] = &[1];

    // Nothing but the number has changed.
    fn upgrade(_version: u32, bytes: &[u8]) -> Result<Self> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

plugin! { name: "operators", functions: [Counts] }

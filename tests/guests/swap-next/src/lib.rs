//! The next version of the rules of `swap`: the same rules, with states in a newer format. It reads and writes the
//! older one, too.

use millrace_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a version calls itself.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
pub struct Version {
    tag: String,
}

impl Default for Version {
    fn default() -> Self {
        Self { tag: "two".into() }
    }
}

impl Config for Version {}

/// Passes on the records of a key whose amount isn't the one before.
#[process]
pub fn changed(key: Key<Vec<u8>>, document: Doc, last: Store<Vec<u8>, Last>) -> Result<Option<Doc>> {
    let amount = document.i64("amount")?;
    if last.get(&key)?.is_some_and(|last| last.last_amount == amount) {
        return Ok(None);
    }
    last.put(&key, &Last { last_amount: amount })?;
    Ok(Some(document))
}

/// The last amount of a key.
#[derive(Serialize, Deserialize)]
pub struct Last {
    last_amount: i64,
}

impl State for Last {
    const VERSION: u32 = 2;
    const READS: &'static [u32] = &[1];
    const WRITES: &'static [u32] = &[1];

    fn upgrade(_version: u32, bytes: &[u8]) -> Result<Self> {
        let AmountOne { amount } = serde_json::from_slice(bytes)?;
        Ok(Self { last_amount: amount })
    }

    fn downgrade(&self, _version: u32) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&AmountOne { amount: self.last_amount })?)
    }
}

/// [`Last`] in version 1.
#[derive(Serialize, Deserialize)]
struct AmountOne {
    amount: i64,
}

/// Number of records of a key, and the sum of their amounts.
pub struct Count;

#[aggregate]
impl Aggregate for Count {
    type Key = Vec<u8>;
    type Input = Doc;
    type State = Counted;
    type Output = CountedOne;

    fn init(_key: &Vec<u8>) -> Counted {
        Counted::default()
    }

    fn add(counted: &mut Counted, _key: &Vec<u8>, document: Doc, _ctx: &Ctx) -> Result<()> {
        counted.number += 1;
        counted.sum += document.i64("amount")?;
        Ok(())
    }

    fn result(counted: &Counted, _key: &Vec<u8>, _ctx: &Ctx) -> Result<CountedOne> {
        Ok(counted.as_one())
    }
}

/// What [`Count`] counts.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Counted {
    number: i64,
    sum: i64,
}

/// [`Counted`] in version 1, which is also the result.
#[derive(Serialize, Deserialize)]
pub struct CountedOne {
    records: i64,
    amount: i64,
}

impl Counted {
    fn as_one(&self) -> CountedOne {
        CountedOne { records: self.number, amount: self.sum }
    }
}

impl State for Counted {
    const VERSION: u32 = 2;
    const READS: &'static [u32] = &[1];
    const WRITES: &'static [u32] = &[1];

    fn upgrade(_version: u32, bytes: &[u8]) -> Result<Self> {
        let CountedOne { records, amount } = serde_json::from_slice(bytes)?;
        Ok(Self { number: records, sum: amount })
    }

    fn downgrade(&self, _version: u32) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.as_one())?)
    }
}

/// The document, with the version's name as `by`.
#[transform]
pub fn tag(mut document: Doc, ctx: Ctx) -> Doc {
    document.set("by", ctx.config::<Version>().tag.as_str());
    document
}

plugin! { name: "swap", config: Version, functions: [changed, Count, tag] }

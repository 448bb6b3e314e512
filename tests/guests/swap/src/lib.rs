//! Rules that say which version made a result, for tests of deployments.

use millrace_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a version calls itself.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
pub struct Version {
    tag: String,
    /// Numbers of records whose amount it changes.
    odd: Vec<i64>,
}

impl Default for Version {
    fn default() -> Self {
        Self { tag: "one".into(), odd: Vec::new() }
    }
}

impl Config for Version {}

/// The document, with the version's name as `by`.
#[transform]
pub fn tag(mut document: Doc, ctx: Ctx) -> Result<Doc> {
    let Version { tag, odd } = ctx.config();
    document.set("by", tag.as_str());
    if odd.contains(&document.i64("n")?) {
        document.set("amount", -1);
    }
    Ok(document)
}

/// Number of records of a key, and the sum of their amounts.
pub struct Count;

#[aggregate]
impl Aggregate for Count {
    type Key = Vec<u8>;
    type Input = Doc;
    type State = Counted;
    type Output = Counted;

    fn init(_key: &Vec<u8>) -> Counted {
        Counted::default()
    }

    fn add(counted: &mut Counted, _key: &Vec<u8>, document: Doc, _ctx: &Ctx) -> Result<()> {
        counted.records += 1;
        counted.amount += document.i64("amount")?;
        Ok(())
    }

    fn result(counted: &Counted, _key: &Vec<u8>, _ctx: &Ctx) -> Result<Counted> {
        Ok(counted.clone())
    }
}

/// What [`Count`] counts.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Counted {
    records: i64,
    amount: i64,
}

impl State for Counted {
    const VERSION: u32 = 1;
}

/// Passes on the records of a key whose amount isn't the one before.
#[process]
pub fn changed(key: Key<Vec<u8>>, document: Doc, last: Store<Vec<u8>, Last>) -> Result<Option<Doc>> {
    let amount = document.i64("amount")?;
    if last.get(&key)?.is_some_and(|last| last.amount == amount) {
        return Ok(None);
    }
    last.put(&key, &Last { amount })?;
    Ok(Some(document))
}

/// The last amount of a key.
#[derive(Serialize, Deserialize)]
pub struct Last {
    amount: i64,
}

impl State for Last {
    const VERSION: u32 = 1;
}

plugin! { name: "swap", config: Version, functions: [tag, Count, changed] }

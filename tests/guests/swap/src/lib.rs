//! Rules that say which version made a result, and do harm if their config asks for it, for tests of deployments.

#![allow(clippy::panic, reason = "a config asks for it")]

use std::hint::black_box;

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
    /// The harm that it does: `fail`, `trap`, `loop`, `allocate` or `write`.
    harm: String,
    /// It does so for records whose number is a multiple of this.
    every: i64,
}

impl Default for Version {
    fn default() -> Self {
        Self { tag: "one".into(), odd: Vec::new(), harm: String::new(), every: 1 }
    }
}

impl Config for Version {}

impl Version {
    fn harms(&self, document: &Doc) -> Result<&str> {
        Ok(if document.i64("n")? % self.every == 0 { &self.harm } else { "" })
    }

    /// Does the harm that needs no store.
    fn act(&self, document: &Doc) -> Result<()> {
        match self.harms(document)? {
            "fail" => Err(Error::bad_value("a config asked for it")),
            "trap" => panic!("a config asked for it"),
            "loop" => loop {
                black_box(());
            },
            "allocate" => {
                let mut taken = Vec::new();
                loop {
                    taken.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            _ => Ok(()),
        }
    }
}

/// The document, with the version's name as `by`.
#[transform]
pub fn tag(mut document: Doc, ctx: Ctx) -> Result<Doc> {
    let version = ctx.config::<Version>();
    version.act(&document)?;
    let Version { tag, odd, .. } = version;
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

    fn add(counted: &mut Counted, _key: &Vec<u8>, document: Doc, ctx: &Ctx) -> Result<()> {
        ctx.config::<Version>().act(&document)?;
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
pub fn changed(key: Key<Vec<u8>>, document: Doc, last: Store<Vec<u8>, Last>, ctx: Ctx) -> Result<Option<Doc>> {
    let version = ctx.config::<Version>();
    version.act(&document)?;
    if version.harms(&document)? == "write" {
        for part in 0..25_u8 {
            last.put(&vec![part], &Last { amount: 0, filler: "x".repeat(4 << 20) })?;
        }
    }
    let amount = document.i64("amount")?;
    if last.get(&key)?.is_some_and(|last| last.amount == amount) {
        return Ok(None);
    }
    last.put(&key, &Last { amount, filler: String::new() })?;
    Ok(Some(document))
}

/// The last amount of a key.
#[derive(Serialize, Deserialize)]
pub struct Last {
    amount: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    filler: String,
}

impl State for Last {
    const VERSION: u32 = 1;
}

plugin! { name: "swap", config: Version, functions: [tag, Count, changed] }

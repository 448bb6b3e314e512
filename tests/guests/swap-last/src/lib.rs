//! A version of the rules of `swap` that is wrong: it fails for each document, and there is no way back from the state that
//! it writes.

use millrace_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// Fails for each document.
#[transform]
pub fn tag(document: Doc) -> Result<Doc> {
    Err(Error::bad_value(format!("document {} is no good", document.i64("n")?)))
}

/// Passes on all records of a key, and keeps their number.
#[process]
pub fn changed(key: Key<Vec<u8>>, document: Doc, last: Store<Vec<u8>, Last>) -> Result<Doc> {
    let amount = document.i64("amount")?;
    last.put(&key, &Last { last_amount: amount })?;
    Ok(document)
}

/// The last amount of a key, with the name that it has in version 1, too.
#[derive(Serialize, Deserialize)]
pub struct Last {
    #[serde(alias = "amount")]
    last_amount: i64,
}

impl State for Last {
    const VERSION: u32 = 2;
    const READS: &'static [u32] = &[1];

    fn upgrade(_version: u32, bytes: &[u8]) -> Result<Self> {
        Ok(serde_json::from_slice(bytes)?)
    }
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

plugin! { name: "swap", functions: [tag, changed, Count] }

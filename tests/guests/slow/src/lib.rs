//! A rule that takes as long as its record says, and one that takes as long for each.

use millrace_sdk::prelude::*;

/// Passes a record on after as many rounds of work as it has in `rounds`; a million take some milliseconds. Without
/// that, at once.
#[transform]
pub fn work(record: Doc) -> Result<Unchanged> {
    take(record.opt_i64("rounds")?.unwrap_or(0));
    Ok(Unchanged)
}

/// Passes a record on after some tenths of a millisecond.
#[transform]
pub fn steady(_record: Doc) -> Result<Unchanged> {
    take(200_000);
    Ok(Unchanged)
}

fn take(rounds: i64) {
    let mut mixed = rounds as u64;
    for _ in 0..rounds {
        // Each round needs the last one, and nobody can leave it out.
        mixed = std::hint::black_box(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31));
    }
    std::hint::black_box(mixed);
}

/// The last record of a key.
pub struct Latest;

#[aggregate]
impl Aggregate for Latest {
    type Key = i64;
    type Input = Doc;
    type State = Order;
    type Output = Order;

    fn init(_key: &i64) -> Order {
        Order::default()
    }

    fn add(latest: &mut Order, _key: &i64, record: Doc, _ctx: &Ctx) -> Result<()> {
        *latest = Order { id: record.i64("id")?, rounds: record.i64("rounds")? };
        Ok(())
    }

    fn result(latest: &Order, _key: &i64, _ctx: &Ctx) -> Result<Order> {
        Ok(latest.clone())
    }
}

/// How much work there is with a record.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Order {
    id: i64,
    rounds: i64,
}

impl State for Order {
    const VERSION: u32 = 1;
}

plugin! { name: "slow", functions: [work, steady, Latest] }

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_out_however_long_it_takes() {
        for record in [r#"{"rounds": 1000}"#, "{}"] {
            assert!(work(Doc::parse(record).unwrap()).is_ok());
            assert!(steady(Doc::parse(record).unwrap()).is_ok());
        }
    }
}

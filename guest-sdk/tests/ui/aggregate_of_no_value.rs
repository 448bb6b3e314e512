use millrace_sdk::prelude::*;

struct Order;

struct Count;

#[aggregate]
impl Aggregate for Count {
    type Key = i64;
    type Input = Option<Order>;
    type State = u64;
    type Output = Order;

    fn init(_key: &i64) -> u64 {
        0
    }

    fn add(count: &mut u64, _key: &i64, _input: Option<Order>, _ctx: &Ctx) -> Result<()> {
        *count += 1;
        Ok(())
    }

    fn result(_count: &u64, _key: &i64, _ctx: &Ctx) -> Result<Order> {
        Ok(Order)
    }
}

fn main() {}

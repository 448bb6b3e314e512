use millrace_sdk::prelude::*;

struct Order;

#[transform]
fn read(order: Order) -> Result<Doc> {
    let Order = order;
    Ok(Doc::new())
}

#[transform]
fn put(_order: Doc) -> Result<Order> {
    Ok(Order)
}

fn main() {}

//! How much of each product was decided on. What it says doesn't depend on the order in which the orders of a product
//! come, except for when: so it can be told what must come out, however they were mixed on their way.

use millrace_sdk::prelude::*;

/// Orders by their products.
#[transform(rekey)]
pub fn by_product(order: Doc) -> Result<Output> {
    Ok(Output::new().key(order.i64("productId")?).unchanged())
}

/// Number of orders of a product, and of pieces in them.
pub struct Sums;

#[aggregate(codes("no-pieces"))]
impl Aggregate for Sums {
    type Key = i64;
    type Input = Doc;
    type State = Sum;
    type Output = Sum;

    fn init(product: &i64) -> Sum {
        Sum { product: *product, orders: 0, pieces: 0 }
    }

    fn add(sum: &mut Sum, _product: &i64, order: Doc, _ctx: &Ctx) -> Result<()> {
        let pieces = order.i64("productCount")?;
        if pieces <= 0 {
            return Err(Error::permanent("no-pieces", format!("an order of {pieces} pieces")));
        }
        sum.orders += 1;
        sum.pieces += pieces;
        Ok(())
    }

    fn result(sum: &Sum, _product: &i64, _ctx: &Ctx) -> Result<Sum> {
        Ok(sum.clone())
    }
}

/// Sums of a product.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Sum {
    product: i64,
    orders: i64,
    pieces: i64,
}

impl State for Sum {
    const VERSION: u32 = 1;
}

plugin! { name: "product-sums", functions: [by_product, Sums] }

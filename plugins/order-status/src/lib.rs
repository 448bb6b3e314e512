//! What becomes of an order when payment and stock have both answered.

use millrace_sdk::prelude::*;

/// Both services have answered: what becomes of the order.
///
/// It is the stock order, with the status and source that follow from the two answers. Answers that aren't ACCEPT or
/// REJECT leave it as it is.
#[join]
pub fn resolve(payment: Doc, mut stock: Doc) -> Result<Doc> {
    match (answer(&payment)?, answer(&stock)?) {
        (Answer::Accept, Answer::Accept) => {
            stock.set("status", "CONFIRMED");
            stock.set_null("source");
        }
        (Answer::Reject, Answer::Reject) => stock.set("status", "REJECTED"),
        (Answer::Reject, Answer::Accept) => roll_back(&mut stock, "PAYMENT"),
        (Answer::Accept, Answer::Reject) => roll_back(&mut stock, "INVENTORY"),
        (Answer::Other, _) | (_, Answer::Other) => {}
    }
    Ok(stock)
}

/// What a service says to an order.
enum Answer {
    Accept,
    Reject,
    Other,
}

fn answer(order: &Doc) -> Result<Answer> {
    Ok(match &*order.str("status")? {
        "ACCEPT" => Answer::Accept,
        "REJECT" => Answer::Reject,
        _ => Answer::Other,
    })
}

/// One service has refused what the other has granted.
fn roll_back(order: &mut Doc, source: &str) {
    order.set("status", "ROLLBACK");
    order.set("source", source);
}

plugin! { name: "order-status", functions: [resolve] }

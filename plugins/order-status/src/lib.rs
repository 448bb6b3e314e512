//! Decides on an order when payment and stock have both answered.

use millrace_sdk::prelude::*;

/// Decides on an order from the answers of both services.
///
/// The result is the stock order, with the status and source that follow from the two answers. Answers that aren't
/// ACCEPT or REJECT leave it unchanged.
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

/// The answer of a service to an order.
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

/// One service has refused the order and the other has accepted it.
fn roll_back(order: &mut Doc, source: &str) {
    order.set("status", "ROLLBACK");
    order.set("source", source);
}

plugin! { name: "order-status", functions: [resolve] }

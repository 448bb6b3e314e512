use millrace_sdk::prelude::*;

mod orders {
    use millrace_sdk::prelude::*;

    #[transform]
    pub fn check(order: Doc) -> Doc {
        order
    }
}

mod payments {
    use millrace_sdk::prelude::*;

    #[transform]
    pub fn check(payment: Doc) -> Doc {
        payment
    }
}

plugin! { name: "checks", functions: [orders::check, payments::check] }

fn main() {}

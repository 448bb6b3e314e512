//! The time that shadows may take from the app.

use std::time::Duration;

/// Decides whether a shadow is called. The engine has no clock, so the driver's side measures.
pub trait ShadowBudget: Send {
    /// Shadows may take this share of the time from now on, in hundredths of a percent.
    fn begin(&mut self, share: u32);

    /// A call is about to be made. `None` if the budget is used up.
    fn grant(&mut self) -> Option<Grant>;

    /// The call is over.
    fn spent(&mut self);
}

/// A call of a shadow.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The most time that it may take.
    pub limit: Option<Duration>,
}

/// A budget without an end: all calls have a shadow, for as long as each takes.
pub struct Unlimited;

impl ShadowBudget for Unlimited {
    fn begin(&mut self, _: u32) {}

    fn grant(&mut self) -> Option<Grant> {
        Some(Grant { limit: None })
    }

    fn spent(&mut self) {}
}

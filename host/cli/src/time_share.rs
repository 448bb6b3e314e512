//! The share of a thread's time that shadows may take.

use std::time::{Duration, Instant};

use millrace_engine::canary::ALL;
use millrace_engine::shadow::{Grant, ShadowBudget};

/// The longest call of a shadow: records wait for it.
const LONGEST_CALL: Duration = Duration::from_millis(10);

/// The most time that is saved up while there is nothing to do.
const MOST_SAVED: Duration = Duration::from_millis(100);

/// Grants calls while the time that shadows have taken is within their share.
#[derive(Debug, Default)]
pub struct TimeShare {
    share: f64,
    /// Seconds that are left; negative after a call that took longer.
    left: f64,
    /// When time was last saved.
    saved: Option<Instant>,
    began: Option<Instant>,
}

impl ShadowBudget for TimeShare {
    fn begin(&mut self, share: u32) {
        *self = Self { share: f64::from(share) / f64::from(ALL), saved: Some(Instant::now()), ..Self::default() };
    }

    fn grant(&mut self) -> Option<Grant> {
        let now = Instant::now();
        let passed = self.saved.replace(now).map_or(Duration::ZERO, |saved| now.saturating_duration_since(saved));
        self.left = (self.left + passed.as_secs_f64() * self.share).min(MOST_SAVED.as_secs_f64());
        if self.left <= 0.0 {
            return None;
        }
        self.began = Some(now);
        Some(Grant { limit: Some(LONGEST_CALL) })
    }

    fn spent(&mut self) {
        if let Some(began) = self.began.take() {
            self.left -= began.elapsed().as_secs_f64();
        }
    }
}

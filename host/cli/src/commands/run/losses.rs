//! What the log says of records that come to nothing: the first one of a step and code with all that is known of it, and
//! then their numbers once a minute, while these grow.

use std::time::{Duration, Instant};

use millrace_engine::ledger::{CounterKind, Example, Fate, Ledger};

/// How often numbers are told.
pub(super) const EVERY: Duration = Duration::from_secs(60);

/// What was told so far.
pub(super) struct Losses {
    /// Counts as they were told last.
    told: Ledger,
    since: Instant,
}

/// More records of a step and code.
#[derive(Debug, PartialEq, Eq)]
struct More<'l> {
    step: &'l str,
    what: CounterKind,
    code: &'l str,
    records: u64,
    more: u64,
}

impl Losses {
    pub(super) fn new(now: Instant) -> Self {
        Self { told: Ledger::default(), since: now }
    }

    /// Tells what is new in the counts since the start: first records at once, numbers when a minute is over.
    pub(super) fn tell(&mut self, total: &Ledger, now: Instant) {
        for (step, code, example) in self.first(total) {
            warn(step, code, example);
        }
        for More { step, what, code, records, more } in self.grown(total, now) {
            tracing::info!(step, what = what.name(), code, records, more, "counted so far");
        }
    }

    /// The examples of steps and codes that weren't told of.
    fn first<'l>(&mut self, total: &'l Ledger) -> Vec<(&'l str, &'l str, &'l Example)> {
        let mut first = Vec::new();
        for (step, what, code, example) in total.examples() {
            if self.told.count_of(step, what, code) == 0 {
                self.told.count(step, what, code, 1);
                first.push((step, code, example));
            }
        }
        first
    }

    /// The counts that have grown since they were told, once a minute.
    fn grown<'l>(&mut self, total: &'l Ledger, now: Instant) -> Vec<More<'l>> {
        if now.saturating_duration_since(self.since) < EVERY {
            return Vec::new();
        }
        self.since = now;
        let mut grown = Vec::new();
        for (step, what, code, records) in total.counts() {
            let told = self.told.count_of(step, what, code);
            let more = records.saturating_sub(told);
            if told > 0 && more > 0 {
                self.told.count(step, what, code, more);
                grown.push(More { step, what, code, records, more });
            }
        }
        grown
    }
}

fn warn(step: &str, code: &str, example: &Example) {
    let Example { topic, partition, offset, reason, fate } = example;
    let (dead_letters, keep, text) = match fate {
        Fate::PassedOn => (None, None, "a record is taken with a doubtful time"),
        Fate::InPart => (None, None, "windows are left out; more of this step and code are counted"),
        Fate::DeadLetter(letters) => {
            let text = "a record has failed, and is in the dead-letter topic; more of this step and code are counted";
            (Some(letters.as_str()), None, text)
        }
        Fate::Dropped(None) => (None, None, "a record is dropped; more of this step and code are counted"),
        Fate::Dropped(Some(setting)) => {
            let text = "a record is dropped, which the setting under `keep` would make a dead letter; more of this step and \
                        code are counted";
            (None, Some(format!("{setting} = \"dead-letter\"")), text)
        }
    };
    tracing::warn!(step, code, topic, partition, offset, dead_letters, reason, keep, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(offset: i64, records: u64) -> Ledger {
        let mut ledger = Ledger::default();
        let (topic, partition, reason, fate) = ("in".to_owned(), 0, "no key".to_owned(), Fate::Dropped(None));
        let example = Example { topic, partition, offset, reason, fate };
        ledger.count_with("sums", CounterKind::Dropped, "null-key", records, || example);
        ledger.count("sums", CounterKind::Noted, "no-identity", records);
        ledger
    }

    #[test]
    fn the_first_record_of_a_step_and_code_is_told_once() {
        let (mut losses, mut total) = (Losses::new(Instant::now()), ledger(7, 3));
        let offsets = |losses: &mut Losses, total: &Ledger| -> Vec<i64> {
            losses.first(total).into_iter().map(|(.., example)| example.offset).collect()
        };
        assert_eq!(offsets(&mut losses, &total), [7]);
        total.add(&ledger(8, 1));
        assert_eq!(offsets(&mut losses, &total), [0; 0]);
        total.count_with("others", CounterKind::Dropped, "null-key", 1, || Example {
            topic: "in".into(),
            partition: 0,
            offset: 9,
            reason: String::new(),
            fate: Fate::Dropped(None),
        });
        assert_eq!(offsets(&mut losses, &total), [9]);
    }

    #[test]
    fn counts_are_told_once_a_minute_while_they_grow() {
        let start = Instant::now();
        let (mut losses, mut total) = (Losses::new(start), ledger(7, 3));
        losses.first(&total);
        let more = |losses: &mut Losses, total: &Ledger, minutes: u32| -> Vec<(u64, u64)> {
            let grown = losses.grown(total, start + EVERY * minutes);
            grown.into_iter().map(|More { records, more, .. }| (records, more)).collect()
        };
        assert_eq!(more(&mut losses, &total, 0), [], "no minute is over");
        assert_eq!(more(&mut losses, &total, 1), [(3, 2)], "beside the first, which was told");
        assert_eq!(more(&mut losses, &total, 2), [], "it hasn't grown");
        total.add(&ledger(8, 5));
        assert_eq!(more(&mut losses, &total, 3), [(8, 5)]);
    }
}

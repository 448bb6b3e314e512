//! Log lines about records without a result: the first one of each step and code in detail, then their numbers once a
//! minute while they grow.

use std::time::{Duration, Instant};

use millrace_engine::ledger::{CounterKind, Example, Fate, Ledger};

/// Time between log lines about the same numbers.
pub(super) const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The losses that were logged so far.
pub(super) struct Losses {
    /// Counts as they were last logged.
    logged: Ledger,
    since: Instant,
}

/// A count that has grown since it was logged.
#[derive(Debug, PartialEq, Eq)]
struct Growth<'l> {
    step: &'l str,
    what: CounterKind,
    code: &'l str,
    records: u64,
    more: u64,
}

impl Losses {
    pub(super) fn new(now: Instant) -> Self {
        Self { logged: Ledger::default(), since: now }
    }

    /// Logs what is new in the counts since the start: first records at once, numbers when a minute is over.
    pub(super) fn log(&mut self, total: &Ledger, now: Instant) {
        for (step, code, example) in self.first(total) {
            warn(step, code, example);
        }
        for Growth { step, what, code, records, more } in self.grown(total, now) {
            tracing::info!(step, what = what.name(), code, records, more, "counted so far");
        }
    }

    /// The examples of steps and codes that weren't logged yet.
    fn first<'l>(&mut self, total: &'l Ledger) -> Vec<(&'l str, &'l str, &'l Example)> {
        let mut first = Vec::new();
        for (step, what, code, example) in total.examples() {
            if self.logged.count_of(step, what, code) == 0 {
                self.logged.count(step, what, code, 1);
                first.push((step, code, example));
            }
        }
        first
    }

    /// The counts that have grown since they were logged, once a minute.
    fn grown<'l>(&mut self, total: &'l Ledger, now: Instant) -> Vec<Growth<'l>> {
        if now.saturating_duration_since(self.since) < LOG_INTERVAL {
            return Vec::new();
        }
        self.since = now;
        let mut grown = Vec::new();
        for (step, what, code, records) in total.counts() {
            let logged = self.logged.count_of(step, what, code);
            let more = records.saturating_sub(logged);
            if logged > 0 && more > 0 {
                self.logged.count(step, what, code, more);
                grown.push(Growth { step, what, code, records, more });
            }
        }
        grown
    }
}

fn warn(step: &str, code: &str, example: &Example) {
    let Example { topic, partition, offset, reason, fate } = example;
    let (dead_letters, keep, text) = match fate {
        Fate::PassedOn => (None, None, "a record has a doubtful timestamp, and is processed"),
        Fate::InPart => {
            (None, None, "a record is dropped from some of its windows; more of this step and code are counted")
        }
        Fate::DeadLetter(letters) => {
            let text = "a record has failed, and is in the dead-letter topic; more of this step and code are counted";
            (Some(letters.as_str()), None, text)
        }
        Fate::Dropped(None) => (None, None, "a record is dropped; more of this step and code are counted"),
        Fate::Dropped(Some(setting)) => {
            let text = "a record is dropped; the setting under `keep` would make it a dead letter; more of this step and code \
                        are counted";
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
    fn the_first_record_of_a_step_and_code_is_logged_once() {
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
    fn counts_are_logged_once_a_minute_while_they_grow() {
        let start = Instant::now();
        let (mut losses, mut total) = (Losses::new(start), ledger(7, 3));
        losses.first(&total);
        let more = |losses: &mut Losses, total: &Ledger, minutes: u32| -> Vec<(u64, u64)> {
            let grown = losses.grown(total, start + LOG_INTERVAL * minutes);
            grown.into_iter().map(|Growth { records, more, .. }| (records, more)).collect()
        };
        assert_eq!(more(&mut losses, &total, 0), [], "no minute is over");
        assert_eq!(more(&mut losses, &total, 1), [(3, 2)], "without the first, which was logged");
        assert_eq!(more(&mut losses, &total, 2), [], "it hasn't grown");
        total.add(&ledger(8, 5));
        assert_eq!(more(&mut losses, &total, 3), [(8, 5)]);
    }
}

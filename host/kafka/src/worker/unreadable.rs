//! Inputs that brokers don't let the app read: a topic isn't there, or the app may not read it. Only these inputs wait.
//! Each is paused for a while and then tried again from its offset, until a record or its end comes.

use std::ffi::{CStr, CString};

use millrace_engine::record::Timestamp;

use super::active_task::Input;

/// Milliseconds until an input is tried again: at first, and at most.
const BACKOFF_MS: (Timestamp, Timestamp) = (1_000, 5_000);

/// Milliseconds after which it is logged again that an input can't be read.
const LOG_INTERVAL_MS: Timestamp = 30_000;

/// The inputs of a worker that can't be read. Mostly none.
#[derive(Default)]
pub(super) struct UnreadableInputs(Vec<UnreadableInput>);

struct UnreadableInput {
    topic: CString,
    partition: i32,
    /// Its next offset: once that moves, the input can be read. None while all inputs are read anew.
    next: Option<i64>,
    since: Timestamp,
    attempts: u32,
    /// When it is tried again, or was.
    due: Timestamp,
    reason: String,
    /// When it was logged last.
    logged: Option<Timestamp>,
}

impl UnreadableInputs {
    /// The worker reads no inputs any more, or all of them anew: each is tried at once.
    pub(super) fn retry_all(&mut self) {
        self.0.iter_mut().for_each(|input| (input.next, input.due) = (None, 0));
    }

    /// Forgets the inputs that the worker doesn't read any more: when they come back, they may be readable.
    pub(super) fn retain(&mut self, is_read: impl Fn(&CStr, i32) -> bool) {
        self.0.retain(|input| is_read(&input.topic, input.partition));
    }

    /// A broker refuses to let this input be read. Its end is unknown from then on.
    pub(super) fn note_failure(&mut self, place: &mut Input, partition: i32, reason: String, now: Timestamp) {
        place.end = None;
        let Some(input) = self.find(&place.name, partition) else {
            let (topic, next, due) = (place.name.clone(), Some(place.next), now + BACKOFF_MS.0);
            self.0.push(UnreadableInput { topic, partition, next, since: now, attempts: 1, due, reason, logged: None });
            return;
        };
        let wait = BACKOFF_MS.0.saturating_mul(1 << input.attempts.min(16)).min(BACKOFF_MS.1);
        input.attempts = input.attempts.saturating_add(1);
        (input.next, input.due, input.reason) = (Some(place.next), now + wait, reason);
    }

    /// Checks whether an input can be read. If not, it is unknown how much of it is left.
    pub(super) fn check(&mut self, place: &mut Input, now: Timestamp) -> InputAccess {
        let Some(partition) = place.partition.filter(|_| !self.0.is_empty()) else { return InputAccess::Readable };
        let Some(input) = self.find(&place.name, partition) else { return InputAccess::Readable };
        let topic = place.name.to_string_lossy();
        if place.next > *input.next.get_or_insert(place.next) || place.end.is_some() {
            tracing::info!(%topic, partition, next = place.next, "the partition can be read again");
            self.0.retain(|input| input.partition != partition || input.topic != place.name);
            return InputAccess::Readable;
        }
        place.left = None;
        if input.logged.is_none_or(|logged| now - logged >= LOG_INTERVAL_MS) {
            input.logged = Some(now);
            let (seconds, reason) = ((now - input.since) / 1_000, &input.reason);
            tracing::warn!(
                %topic, partition, next = place.next, seconds, reason,
                "a partition can't be read, and is tried again: others go on"
            );
        }
        if now < input.due { InputAccess::Waiting } else { InputAccess::Retried }
    }

    fn find(&mut self, topic: &CStr, partition: i32) -> Option<&mut UnreadableInput> {
        self.0.iter_mut().find(|input| input.partition == partition && input.topic.as_c_str() == topic)
    }
}

/// Whether an input can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputAccess {
    /// It can be read, as far as is known.
    Readable,
    /// It can't be read, and isn't tried yet.
    Waiting,
    /// It couldn't be read, and is tried again.
    Retried,
}

#[cfg(test)]
mod tests {
    use super::super::active_task::input_for_tests as input;
    use super::*;

    #[test]
    fn an_input_that_may_not_be_read_holds_up_no_other_and_may_have_more_records() {
        let (mut unreadable, mut one, mut other) = (UnreadableInputs::default(), input(c"one"), input(c"other"));
        unreadable.note_failure(&mut one, 1, "no".into(), 1_000);
        assert_eq!(unreadable.check(&mut one, 1_000), InputAccess::Waiting);
        assert!(one.expects_more(), "its end isn't known");
        assert_eq!(unreadable.check(&mut other, 1_000), InputAccess::Readable);
        assert!(!other.expects_more());
        assert_eq!(unreadable.check(&mut one, 2_000), InputAccess::Retried);
        assert!(one.expects_more(), "as long as nothing has come");
    }

    #[test]
    fn an_unreadable_input_is_tried_later_each_time_until_a_record_or_its_end_comes() {
        let (mut unreadable, mut one) = (UnreadableInputs::default(), input(c"one"));
        let mut waits = Vec::new();
        for now in [0, 100_000, 200_000, 300_000, 400_000] {
            unreadable.note_failure(&mut one, 1, "no".into(), now);
            let tried = |ms: &Timestamp| unreadable.check(&mut one, now + ms) == InputAccess::Retried;
            waits.extend((0..20_000).step_by(500).find(tried));
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 5_000, 5_000]);
        one.end = Some(7);
        assert_eq!(unreadable.check(&mut one, 500_000), InputAccess::Readable);
        unreadable.note_failure(&mut one, 1, "no".into(), 600_000);
        assert_eq!(unreadable.check(&mut one, 601_000), InputAccess::Retried, "from the beginning");
        one.next = 8;
        assert_eq!(unreadable.check(&mut one, 601_000), InputAccess::Readable);
    }

    #[test]
    fn an_input_that_another_worker_had_meanwhile_counts_as_readable() {
        let (mut unreadable, mut one) = (UnreadableInputs::default(), input(c"one"));
        unreadable.note_failure(&mut one, 1, "no".into(), 1_000);
        unreadable.retain(|topic, partition| (topic, partition) == (c"one", 1));
        assert_eq!(unreadable.check(&mut one, 1_000), InputAccess::Waiting, "it is still here");
        unreadable.retain(|topic, partition| (topic, partition) == (c"one", 2));
        assert_eq!(unreadable.check(&mut one, 900_000), InputAccess::Readable);
    }

    #[test]
    fn an_unreadable_input_is_tried_at_once_when_all_inputs_are_read_anew() {
        let (mut unreadable, mut one) = (UnreadableInputs::default(), input(c"one"));
        unreadable.note_failure(&mut one, 1, "no".into(), 1_000);
        unreadable.retry_all();
        assert_eq!(unreadable.check(&mut one, 1_000), InputAccess::Retried);
    }
}

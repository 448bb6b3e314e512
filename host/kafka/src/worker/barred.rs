//! Inputs that brokers don't let the app read: a topic isn't there, or the app may not read it. Only these wait. Each is
//! left alone for a while and then tried again from where it stands, until something comes of it, and all others go on.

use std::ffi::{CStr, CString};

use millrace_engine::record::Timestamp;

use super::seat::Input;

/// Milliseconds until an input is tried again: at first, and at most.
const BACKOFF_MS: (Timestamp, Timestamp) = (1_000, 5_000);

/// Milliseconds after which it is said again that an input can't be read.
const LOG_INTERVAL_MS: Timestamp = 30_000;

/// The inputs of a worker that can't be read. Hardly ever one.
#[derive(Default)]
pub(super) struct UnreadableInputs(Vec<UnreadableInput>);

struct UnreadableInput {
    topic: CString,
    partition: i32,
    /// Where it stands: if it gets further, it can be read. None while all is read anew.
    next: Option<i64>,
    since: Timestamp,
    attempts: u32,
    /// When it is tried again, or was.
    due: Timestamp,
    reason: String,
    /// When it was said last.
    said: Option<Timestamp>,
}

impl UnreadableInputs {
    /// Nothing is read any more, or all of it anew: what can't be read will show.
    pub(super) fn try_all(&mut self) {
        self.0.iter_mut().for_each(|bar| (bar.next, bar.due) = (None, 0));
    }

    /// The worker reads the inputs of which it is so, and no others: what it knew of those needn't hold any more when they
    /// come back.
    pub(super) fn keep(&mut self, is_read: impl Fn(&CStr, i32) -> bool) {
        self.0.retain(|bar| is_read(&bar.topic, bar.partition));
    }

    /// A broker has said that this input can't be read. Its end is unknown from then on.
    pub(super) fn add(&mut self, place: &mut Input, partition: i32, reason: String, now: Timestamp) {
        place.end = None;
        let Some(bar) = self.find(&place.name, partition) else {
            let (topic, next, due) = (place.name.clone(), Some(place.next), now + BACKOFF_MS.0);
            self.0.push(UnreadableInput { topic, partition, next, since: now, attempts: 1, due, reason, said: None });
            return;
        };
        let wait = BACKOFF_MS.0.saturating_mul(1 << bar.attempts.min(16)).min(BACKOFF_MS.1);
        bar.attempts = bar.attempts.saturating_add(1);
        (bar.next, bar.due, bar.reason) = (Some(place.next), now + wait, reason);
    }

    /// Looks whether an input can be read. If not, it is known of it neither how much is left nor whether there is more.
    pub(super) fn look(&mut self, place: &mut Input, now: Timestamp) -> InputAccess {
        let Some(partition) = place.partition.filter(|_| !self.0.is_empty()) else { return InputAccess::Free };
        let Some(bar) = self.find(&place.name, partition) else { return InputAccess::Free };
        let topic = place.name.to_string_lossy();
        if place.next > *bar.next.get_or_insert(place.next) || place.end.is_some() {
            tracing::info!(%topic, partition, next = place.next, "the partition can be read again");
            self.0.retain(|bar| bar.partition != partition || bar.topic != place.name);
            return InputAccess::Free;
        }
        place.left = None;
        if bar.said.is_none_or(|said| now - said >= LOG_INTERVAL_MS) {
            bar.said = Some(now);
            let (seconds, reason) = ((now - bar.since) / 1_000, &bar.reason);
            tracing::warn!(
                %topic, partition, next = place.next, seconds, reason,
                "a partition can't be read, and is tried again: others go on"
            );
        }
        if now < bar.due { InputAccess::Waits } else { InputAccess::Tried }
    }

    fn find(&mut self, topic: &CStr, partition: i32) -> Option<&mut UnreadableInput> {
        self.0.iter_mut().find(|bar| bar.partition == partition && bar.topic.as_c_str() == topic)
    }
}

/// Whether an input can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputAccess {
    /// Nothing is against it.
    Free,
    /// It can't be, and isn't to be tried yet.
    Waits,
    /// It couldn't be, and is tried again.
    Tried,
}

#[cfg(test)]
mod tests {
    use super::super::seat::input_for_tests as input;
    use super::*;

    #[test]
    fn an_input_that_may_not_be_read_waits_for_itself_alone_and_may_always_have_more() {
        let (mut barred, mut one, mut other) = (UnreadableInputs::default(), input(c"one"), input(c"other"));
        barred.add(&mut one, 1, "no".into(), 1_000);
        assert_eq!(barred.look(&mut one, 1_000), InputAccess::Waits);
        assert!(one.expects_more(), "its end isn't known");
        assert_eq!(barred.look(&mut other, 1_000), InputAccess::Free);
        assert!(!other.expects_more());
        assert_eq!(barred.look(&mut one, 2_000), InputAccess::Tried);
        assert!(one.expects_more(), "as long as nothing has come");
    }

    #[test]
    fn it_is_tried_later_each_time_until_a_record_or_the_end_comes() {
        let (mut barred, mut one) = (UnreadableInputs::default(), input(c"one"));
        let mut waits = Vec::new();
        for now in [0, 100_000, 200_000, 300_000, 400_000] {
            barred.add(&mut one, 1, "no".into(), now);
            let tried = |ms: &Timestamp| barred.look(&mut one, now + ms) == InputAccess::Tried;
            waits.extend((0..20_000).step_by(500).find(tried));
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 5_000, 5_000]);
        one.end = Some(7);
        assert_eq!(barred.look(&mut one, 500_000), InputAccess::Free);
        barred.add(&mut one, 1, "no".into(), 600_000);
        assert_eq!(barred.look(&mut one, 601_000), InputAccess::Tried, "from the beginning");
        one.next = 8;
        assert_eq!(barred.look(&mut one, 601_000), InputAccess::Free);
    }

    #[test]
    fn an_input_that_has_been_elsewhere_meanwhile_is_not_said_to_be_unreadable_since_then() {
        let (mut barred, mut one) = (UnreadableInputs::default(), input(c"one"));
        barred.add(&mut one, 1, "no".into(), 1_000);
        barred.keep(|topic, partition| (topic, partition) == (c"one", 1));
        assert_eq!(barred.look(&mut one, 1_000), InputAccess::Waits, "it is still here");
        barred.keep(|topic, partition| (topic, partition) == (c"one", 2));
        assert_eq!(barred.look(&mut one, 900_000), InputAccess::Free);
    }

    #[test]
    fn where_all_is_read_anew_it_is_tried_at_once() {
        let (mut barred, mut one) = (UnreadableInputs::default(), input(c"one"));
        barred.add(&mut one, 1, "no".into(), 1_000);
        barred.try_all();
        assert_eq!(barred.look(&mut one, 1_000), InputAccess::Tried);
    }
}

//! Which record is next.

use std::collections::VecDeque;

use crate::event_time::TimestampExtractor;
use crate::record::{InputRecord, Timestamp};

/// The input queues of a task.
pub(super) struct Queues {
    inputs: Vec<Input>,
}

#[derive(Default)]
struct Input {
    /// How its records tell their event time.
    extractor: TimestampExtractor,
    /// Each with its event time.
    records: VecDeque<(InputRecord, Timestamp)>,
    bytes: usize,
    more: bool,
    /// Offset of the next record to process.
    next: Option<i64>,
    /// Highest event time of the records that were processed.
    time: Option<Timestamp>,
}

/// A chosen record with the input it is from, and its event time.
pub(super) struct Chosen {
    pub(super) input: usize,
    pub(super) record: InputRecord,
    pub(super) time: Timestamp,
    /// Highest event time of the input before it.
    pub(super) before: Option<Timestamp>,
}

/// In place of the time of a record that has none that can be used: it is chosen at once, so that it holds nobody up, and
/// moves no time on. What is wrong with it is the source's business.
const NO_TIME: Timestamp = Timestamp::MIN;

/// Bytes that a waiting record holds with its place, or small ones would be no load at all.
fn held(record: &InputRecord) -> usize {
    record.held() + size_of::<Timestamp>()
}

impl Queues {
    pub(super) fn new(inputs: impl Iterator<Item = TimestampExtractor>) -> Self {
        Self { inputs: inputs.map(|extractor| Input { extractor, ..Input::default() }).collect() }
    }

    pub(super) fn offer(&mut self, input: usize, record: InputRecord) {
        if let Some(input) = self.inputs.get_mut(input) {
            input.bytes += held(&record);
            let time = input.extractor.of(&record).unwrap_or(NO_TIME);
            input.records.push_back((record, time));
        }
    }

    pub(super) fn expect_more(&mut self, input: usize, more: bool) {
        if let Some(input) = self.inputs.get_mut(input) {
            input.more = more;
        }
    }

    pub(super) fn queued(&self, input: usize) -> usize {
        self.inputs.get(input).map_or(0, |input| input.records.len())
    }

    pub(super) fn queued_bytes(&self, input: usize) -> usize {
        self.inputs.get(input).map_or(0, |input| input.bytes)
    }

    /// The input of the next record: that with the lowest turn, then the lowest event time at its head, then the first.
    /// None while an input that is to get more is empty.
    pub(super) fn next(&self) -> Option<usize> {
        if self.inputs.iter().any(|input| input.more && input.records.is_empty()) {
            return None;
        }
        let heads = self.inputs.iter().enumerate().filter_map(|(index, input)| Some((input.records.front()?, index)));
        heads.min_by_key(|((head, time), index)| (head.turn, *time, *index)).map(|(_, index)| index)
    }

    pub(super) fn choose(&mut self) -> Option<Chosen> {
        let index = self.next()?;
        let input = self.inputs.get_mut(index)?;
        let (record, time) = input.records.pop_front()?;
        input.bytes -= held(&record);
        input.next = Some(record.offset + 1);
        let before = input.time;
        input.advance(time);
        Some(Chosen { input: index, record, time, before })
    }

    /// The time that an input had reached before the task was opened.
    pub(super) fn restore_time(&mut self, input: usize, time: Timestamp) {
        if let Some(input) = self.inputs.get_mut(input) {
            input.advance(time);
        }
    }

    /// For each input, the offset of the next record to process, and the highest event time so far.
    pub(super) fn positions(&self) -> impl Iterator<Item = (Option<i64>, Option<Timestamp>)> {
        self.inputs.iter().map(|input| (input.next, input.time))
    }
}

impl Input {
    /// Moves its time on; never back. A negative time is none.
    fn advance(&mut self, time: Timestamp) {
        if time >= 0 {
            self.time = self.time.max(Some(time));
        }
    }
}

//! Input queues, and the choice of the next record.

use std::collections::VecDeque;

use crate::event_time::TimestampExtractor;
use crate::record::{InputRecord, Timestamp};

/// The input queues of a task.
pub(super) struct Queues {
    inputs: Vec<Input>,
}

#[derive(Default)]
struct Input {
    extractor: TimestampExtractor,
    /// Records with their event times.
    records: VecDeque<(InputRecord, Timestamp)>,
    bytes: usize,
    more: bool,
    /// Offset of the next record to process.
    next: Option<i64>,
    /// Highest event time of the records that were processed.
    time: Option<Timestamp>,
}

/// The next record of a task.
pub(super) struct Chosen {
    pub(super) input: usize,
    pub(super) record: InputRecord,
    pub(super) time: Timestamp,
    /// Highest event time of the input before this record.
    pub(super) before: Option<Timestamp>,
}

/// Stands for the time of a record without a valid one. Such a record is chosen at once and advances no clock; its
/// source then rejects it.
const NO_TIME: Timestamp = Timestamp::MIN;

/// Bytes that a queued record holds, including its place: otherwise small records would weigh nothing.
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

    /// The input of the next record: the lowest turn, then the lowest event time, then the first input. `None` while an
    /// input with a backlog has an empty queue.
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

    /// Restores the time of an input from its last commit.
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
    /// Advances the input's time. Negative times don't count.
    fn advance(&mut self, time: Timestamp) {
        if time >= 0 {
            self.time = self.time.max(Some(time));
        }
    }
}

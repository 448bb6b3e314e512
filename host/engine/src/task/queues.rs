//! Which record is next.

use std::collections::VecDeque;

use crate::record::InputRecord;

/// The input queues of a task.
pub(super) struct Queues {
    inputs: Vec<Input>,
}

#[derive(Default)]
struct Input {
    records: VecDeque<InputRecord>,
    bytes: usize,
    more: bool,
    /// Offset of the next record to process.
    position: Option<i64>,
}

/// A chosen record with the input it is from.
pub(super) struct Chosen {
    pub(super) input: usize,
    pub(super) record: InputRecord,
}

impl Queues {
    pub(super) fn new(inputs: usize) -> Self {
        Self { inputs: std::iter::repeat_with(Input::default).take(inputs).collect() }
    }

    pub(super) fn offer(&mut self, input: usize, record: InputRecord) {
        if let Some(input) = self.inputs.get_mut(input) {
            input.bytes += record.size();
            input.records.push_back(record);
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

    /// The input of the next record: that with the lowest turn, then the lowest timestamp at its head, then the first.
    /// None while an input that is to get more is empty.
    pub(super) fn next(&self) -> Option<usize> {
        if self.inputs.iter().any(|input| input.more && input.records.is_empty()) {
            return None;
        }
        let heads = self.inputs.iter().enumerate().filter_map(|(index, input)| Some((input.records.front()?, index)));
        heads.min_by_key(|(head, index)| (head.turn, head.timestamp, *index)).map(|(_, index)| index)
    }

    pub(super) fn choose(&mut self) -> Option<Chosen> {
        let index = self.next()?;
        let input = self.inputs.get_mut(index)?;
        let record = input.records.pop_front()?;
        input.bytes -= record.size();
        input.position = Some(record.offset + 1);
        Some(Chosen { input: index, record })
    }

    /// For each input, the offset of the next record to process.
    pub(super) fn positions(&self) -> impl Iterator<Item = Option<i64>> {
        self.inputs.iter().map(|input| input.position)
    }
}

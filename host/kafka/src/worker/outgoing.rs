//! What a task puts out at a commit, on its way into the transaction.
//!
//! A broker ends a transaction that is open for too long, and a rule behind results that wait for a commit may take longer
//! than that for a single one. So where a transaction would be open for one task alone, what the task puts out is held
//! until its results are ready, and none is open meanwhile. That is the task's part of the commit all the same: it is sent
//! before the changes and offsets that belong to it, in the same order as otherwise, and dropped with the task if the
//! commit fails. A task can't be left out of a commit instead, once anything that it put out is in the transaction: its
//! results would be committed without its offsets, and come twice.
//!
//! So much memory can't be held, however, that a rule may make of one record. Beyond a bound the transaction is opened, and
//! what is left has as long as any other part of one.

use millrace_engine::task::Produced;

use crate::error::Reaction;

/// Bytes of records that are held. What comes beyond goes into the transaction at once.
const HELD_BYTES: usize = 32 << 20;

/// The way of records into the transaction.
pub(super) struct Outgoing<S> {
    send: S,
    /// Those that are held; none where they are sent as they come.
    held: Option<Vec<Produced>>,
    bytes: usize,
}

impl<S: FnMut(Produced) -> Result<(), Reaction>> Outgoing<S> {
    /// Sends records as they come, or holds them at first.
    pub(super) fn new(send: S, hold: bool) -> Self {
        Self { send, held: hold.then(Vec::new), bytes: 0 }
    }

    /// Whether records are held, and so no transaction is open for them.
    pub(super) fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Takes records on their way.
    pub(super) fn put(&mut self, records: Vec<Produced>) -> Result<(), Reaction> {
        let Some(held) = &mut self.held else { return records.into_iter().try_for_each(&mut self.send) };
        self.bytes += records.iter().map(bytes_of).sum::<usize>();
        held.extend(records);
        if self.bytes > HELD_BYTES { self.release() } else { Ok(()) }
    }

    /// Sends what is held, and holds nothing from then on.
    pub(super) fn release(&mut self) -> Result<(), Reaction> {
        self.held.take().into_iter().flatten().try_for_each(&mut self.send)
    }
}

fn bytes_of(record: &Produced) -> usize {
    let length = |part: &Option<bytes::Bytes>| part.as_ref().map_or(0, bytes::Bytes::len);
    size_of::<Produced>() + length(&record.key) + length(&record.value) + record.headers.held()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use bytes::Bytes;
    use millrace_engine::record::Headers;
    use millrace_engine::topology::TopicId;

    use super::*;

    /// A record that can be told from others by its time.
    fn record(timestamp: i64, bytes: usize) -> Produced {
        Produced {
            topic: TopicId(0),
            partition: 0,
            key: None,
            value: Some(Bytes::from(vec![0; bytes])),
            timestamp,
            headers: Headers::EMPTY,
            window: None,
            turn: 0,
            arrived: 0,
        }
    }

    #[test]
    fn what_is_held_is_sent_in_its_order_when_all_of_it_is_ready() {
        let sent = RefCell::new(Vec::new());
        let send = |record: Produced| {
            sent.borrow_mut().push(record.timestamp);
            Ok(())
        };
        let mut outgoing = Outgoing::new(send, true);
        outgoing.put(vec![record(1, 1), record(2, 1)]).unwrap();
        outgoing.put(vec![record(3, 1)]).unwrap();
        assert!(outgoing.is_holding() && sent.borrow().is_empty());
        outgoing.release().unwrap();
        outgoing.release().unwrap();
        assert_eq!(*sent.borrow(), [1, 2, 3], "each once");
        outgoing.put(vec![record(4, 1)]).unwrap();
        assert_eq!(*sent.borrow(), [1, 2, 3, 4]);
    }

    #[test]
    fn no_more_is_held_than_memory_may_take() {
        let sent = RefCell::new(Vec::new());
        let send = |record: Produced| {
            sent.borrow_mut().push(record.timestamp);
            Ok(())
        };
        let mut outgoing = Outgoing::new(send, true);
        outgoing.put(vec![record(1, HELD_BYTES / 2)]).unwrap();
        assert!(outgoing.is_holding());
        outgoing.put(vec![record(2, HELD_BYTES / 2)]).unwrap();
        assert!(!outgoing.is_holding());
        outgoing.put(vec![record(3, 1)]).unwrap();
        assert_eq!(*sent.borrow(), [1, 2, 3]);
    }
}

//! Two producers that take turns, a transaction each.
//!
//! A commit is acknowledged when the coordinator has written it down; the marks in the partitions come after it. Until
//! the last of them is written, the coordinator refuses the transactional id's next transaction
//! (`CONCURRENT_TRANSACTIONS`), and librdkafka waits 20 ms before it asks again: more than all the rest of a small
//! transaction takes. With two ids the marks of one are written while the other one's transaction is open.
//!
//! Nothing gets out of order by that. A transaction begins after the one before it is committed, so its records lie
//! behind; who reads committed records only doesn't pass a transaction without its marks; and of two commits of a
//! group's offset, the coordinator keeps the one that was appended later, whichever marks come first.

use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;

use super::{Committed, Transactions};
use crate::error::Reaction;
use crate::native::Record;
use crate::pulse::Pulse;
use crate::settings::ClientSettings;

/// The producers of a worker. After anything but a clean acknowledgement of either, both are to be replaced.
pub(crate) struct Turns {
    /// Whose transaction is open, or is next.
    current: Transactions,
    other: Transactions,
}

impl Turns {
    /// Takes over the transactional ids that begin with `id`, as [`Transactions::open`] does with one.
    pub(crate) fn open(
        settings: &ClientSettings,
        id: &str,
        topics: &[&str],
        pulse: &Arc<Pulse>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Reaction> {
        let one = |turn| {
            Transactions::open(settings, &format!("{id}-{turn}"), topics.iter().copied(), Arc::clone(pulse), go_on)
        };
        let (Some(current), Some(other)) = (one('a')?, one('b')?) else { return Ok(None) };
        Ok(Some(Self { current, other }))
    }

    /// See [`Transactions::set_slots`].
    pub(crate) fn set_slots(&mut self, slots: usize) {
        self.current.set_slots(slots);
        self.other.set_slots(slots);
    }

    /// See [`Transactions::send`].
    pub(crate) fn send(&mut self, topic: usize, record: &Record<'_>, slot: Option<usize>) -> Result<(), Reaction> {
        self.current.send(topic, record, slot)
    }

    /// See [`Transactions::serve`].
    pub(crate) fn serve(&mut self) -> Result<(), Reaction> {
        self.current.serve()
    }

    /// See [`Transactions::commit`]. The next transaction is the other producer's.
    pub(crate) fn commit(
        &mut self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<Committed, Reaction> {
        let committed = self.current.commit(offsets, group)?;
        std::mem::swap(&mut self.current, &mut self.other);
        Ok(committed)
    }

    /// See [`Transactions::abort`].
    pub(crate) fn abort(&mut self) -> Result<(), Reaction> {
        self.current.abort()
    }
}

//! Doubtful times: in another unit than milliseconds, or years after all times before. The task processes these records
//! as they are, but counts them: they advance stream time, and then older records are late.

use super::queues::Chosen;
use super::{Task, shape};
use crate::ledger::{CounterKind, Example, Fate};
use crate::record::Timestamp;
use crate::rfc3339::show;
use crate::topology::TopicKind;
use crate::unit::Unit;

/// A longer jump of time is doubtful.
const YEAR: Timestamp = 365 * 86_400_000;

impl Task {
    /// Counts the chosen records that have doubtful times.
    pub(super) fn note_doubtful_times(&mut self, chosen: &[Chosen]) {
        for one in chosen {
            if let Some(doubt) = Doubt::of(one.time, one.before) {
                self.note(one, &doubt);
            }
        }
    }

    fn note(&mut self, chosen: &Chosen, doubt: &Doubt) {
        let shape = shape(&self.topology, self.options.subtopology);
        let topic = shape.inputs.get(chosen.input).and_then(|topic| self.topology.topics.get(topic.0));
        let source = self.sources.get(chosen.input).and_then(|source| shape.nodes.get(source.0));
        // A record of a repartition topic was counted at its source, or has its time from a rule.
        let Some((topic, source)) = topic.zip(source).filter(|(topic, _)| topic.kind != TopicKind::Repartition) else {
            return;
        };
        let (partition, offset) = (self.options.partition, chosen.record.offset);
        self.ledger.count_with(&source.name, CounterKind::Noted, doubt.code(), 1, || Example {
            topic: topic.name.clone(),
            partition,
            offset,
            reason: doubt.text(chosen.time),
            fate: Fate::PassedOn,
        });
    }
}

/// Why a time is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// It looks like a time in this unit.
    Unit(Unit),
    /// It is years later than this time, the highest before it.
    Jump(Timestamp),
}

impl Doubt {
    fn of(time: Timestamp, before: Option<Timestamp>) -> Option<Self> {
        let jump = before.filter(|before| time.saturating_sub(*before) > YEAR);
        Unit::of(time).map(Self::Unit).or(jump.map(Self::Jump))
    }

    fn code(self) -> &'static str {
        match self {
            Self::Unit(Unit::Seconds) => "time-in-seconds",
            Self::Unit(Unit::Microseconds) => "time-in-microseconds",
            Self::Unit(Unit::Nanoseconds) => "time-in-nanoseconds",
            Self::Jump(_) => "time-jump",
        }
    }

    fn text(self, time: Timestamp) -> String {
        let shown = show(time);
        match self {
            Self::Unit(unit) => {
                let unit = unit.name();
                format!(
                    "its time {time} is {shown}: it looks like {unit}, and milliseconds since the epoch are expected"
                )
            }
            Self::Jump(before) => {
                let before = show(before);
                format!(
                    "time jumps by years, from {before} to {shown}: records that are older are late from now on; `max-ahead` \
                     at the source keeps those out that are ahead of the clock"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_another_unit_and_jumps_by_years_are_doubtful() {
        let may = 1_714_557_600_000;
        let cases = [
            (may, None, None),
            (may, Some(may - YEAR), None),
            (may, Some(may - YEAR - 1), Some(Doubt::Jump(may - YEAR - 1))),
            (may - YEAR - 1, Some(may), None),
            (may / 1_000, None, Some(Doubt::Unit(Unit::Seconds))),
            (may * 1_000, Some(may), Some(Doubt::Unit(Unit::Microseconds))),
            (may * 1_000_000, Some(may), Some(Doubt::Unit(Unit::Nanoseconds))),
            (Timestamp::MIN, Some(may), None),
        ];
        for (time, before, doubt) in cases {
            assert_eq!(Doubt::of(time, before), doubt, "{time} after {before:?}");
        }
        assert_eq!(
            Doubt::Unit(Unit::Microseconds).text(may * 1_000),
            "its time 1714557600000000 is 56302-03-03T16:00:00Z: it looks like microseconds, and milliseconds since the \
             epoch are expected"
        );
        assert_eq!(
            Doubt::Jump(may).text(4_070_908_800_000),
            "time jumps by years, from 2024-05-01T10:00:00Z to 2099-01-01T00:00:00Z: records that are older are late from \
             now on; `max-ahead` at the source keeps those out that are ahead of the clock"
        );
    }
}

//! How a committed offset stands to its topic and to the app's state.

use crate::client::native::{self, CommittedOffset};
use crate::cluster::metadata::{Note, Origin};

/// Whether an offset fits the topic and the app's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The app has committed it, and keeps state for this partition that has all records before it.
    WithState,
    /// The app has committed it, and keeps no state for this partition.
    WithoutState,
    /// The app has committed it in the middle of a run, whose rest is kept.
    InRun,
    /// It was set by hand, and the app hasn't run since.
    SetByHand,
    /// Nothing is committed.
    Missing,
    /// It is one of a topic that was deleted and made anew.
    MadeAnew,
    /// The internal topics that belong to it were deleted.
    StateGone,
    /// The record at this offset isn't there, nor are those that would follow it.
    OutOfRange,
    /// An open transaction is to decide on it.
    Undecided,
    /// The broker doesn't tell it, for this reason.
    Untold(String),
}

impl Standing {
    /// How the answer of a group's coordinator stands to the partition as it is, from its first offset to its end.
    pub(super) fn of(
        answer: &CommittedOffset,
        note: &Note,
        now: &Origin,
        (first, end): (i64, i64),
        has_state: bool,
    ) -> Self {
        let offset = match answer {
            CommittedOffset::At(offset, _) => *offset,
            CommittedOffset::Nothing => return Self::Missing,
            CommittedOffset::Undecided => return Self::Undecided,
            CommittedOffset::Refused(code) => return Self::Untold(code.to_string()),
        };
        let lies_in_range = (first..=end).contains(&offset);
        match &note.origin {
            Some(before) if native::differ(&before.topic, &now.topic) => Self::MadeAnew,
            Some(before) if now.life.is_empty() || native::differ(&before.life, &now.life) => Self::StateGone,
            _ if !lies_in_range => Self::OutOfRange,
            None => Self::SetByHand,
            Some(_) if note.unfinished => Self::InRun,
            Some(_) if has_state => Self::WithState,
            Some(_) => Self::WithoutState,
        }
    }

    /// A few words for it.
    pub fn said(&self) -> &str {
        match self {
            Self::WithState => "belongs to the state",
            Self::WithoutState => "no state here",
            Self::InRun => "in the middle of a run",
            Self::SetByHand => "set by hand",
            Self::Missing => "none is committed",
            Self::MadeAnew => "the topic was made anew",
            Self::StateGone => "its state is gone",
            Self::OutOfRange => "its record is gone",
            Self::Undecided => "an open transaction decides",
            Self::Untold(reason) => reason,
        }
    }

    /// Why it can't be set; `None` where it can.
    pub(super) fn fixed(&self) -> Option<String> {
        match self {
            Self::WithState => Some(
                "its offset belongs to the state that the app keeps: from an earlier one records would be in the state \
                 twice, from a later one some would be missing"
                    .into(),
            ),
            Self::InRun => Some(
                "its offset lies in the middle of a run, whose rest would come out as well: let the app finish it with \
                 `--until-idle`"
                    .into(),
            ),
            Self::Undecided => Some("a transaction that is still open decides on its offset".into()),
            Self::Untold(reason) => Some(format!("its offset is unknown: {reason}")),
            Self::WithoutState
            | Self::SetByHand
            | Self::Missing
            | Self::MadeAnew
            | Self::StateGone
            | Self::OutOfRange => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    fn origin(topic: &str, life: &str) -> Origin {
        Origin { topic: topic.into(), life: life.into() }
    }

    fn standing(offset: i64, before: Option<Origin>, unfinished: bool, now: &Origin, has_state: bool) -> Standing {
        let note = Note { time: None, origin: before, generations: Default::default(), unfinished };
        Standing::of(&CommittedOffset::At(offset, String::new()), &note, now, (5, 10), has_state)
    }

    #[test]
    fn an_offset_that_belongs_to_state_is_not_set_and_one_that_fits_no_state_is() {
        let now = origin("t", "l");
        let own = || Some(origin("t", "l"));
        for (found, expected, fixed) in [
            (standing(7, own(), false, &now, true), Standing::WithState, true),
            (standing(7, own(), false, &now, false), Standing::WithoutState, false),
            (standing(7, own(), true, &now, true), Standing::InRun, true),
            (standing(7, own(), true, &now, false), Standing::InRun, true),
            (standing(7, None, false, &now, true), Standing::SetByHand, false),
            (standing(4, own(), false, &now, true), Standing::OutOfRange, false),
            (standing(11, own(), false, &now, true), Standing::OutOfRange, false),
            (standing(5, own(), false, &now, true), Standing::WithState, true),
            (standing(10, own(), false, &now, true), Standing::WithState, true),
            (standing(7, Some(origin("other", "l")), true, &now, true), Standing::MadeAnew, false),
            (standing(7, Some(origin("t", "other")), false, &now, true), Standing::StateGone, false),
            (standing(7, own(), false, &origin("t", ""), false), Standing::StateGone, false),
        ] {
            assert_eq!(found, expected);
            assert_eq!(found.fixed().is_some(), fixed, "{found:?}");
        }
    }

    #[test]
    fn an_offset_that_is_not_known_is_not_set_and_a_missing_one_is() {
        let known = |answer| Standing::of(&answer, &Note::default(), &origin("t", "l"), (0, 1), true);
        assert_eq!(known(CommittedOffset::Nothing).fixed(), None);
        assert!(known(CommittedOffset::Undecided).fixed().is_some());
        assert!(known(CommittedOffset::Refused(RDKafkaErrorCode::GroupAuthorizationFailed)).fixed().is_some());
    }
}

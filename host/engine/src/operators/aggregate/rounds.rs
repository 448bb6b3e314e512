//! Calls record by record, so that each state is checked: one call for the first record of every group, then one for
//! the second records, and so on.

use super::guest::{Guest, nothing_yet};
use crate::ports::{CallError, Failure, Group, Grouped, Mode, Outcome, Stored};

impl Guest<'_> {
    /// One result per group. A record that makes a state too large fails, and the state stays as it was.
    pub(super) fn rounds(
        &mut self,
        groups: &[Group<'_>],
        too_large: impl Fn(&Group<'_>, &Stored) -> Option<Failure>,
    ) -> Result<Vec<Grouped>, CallError> {
        let mut results: Vec<Grouped> = groups.iter().map(nothing_yet).collect();
        let rounds = groups.iter().map(|group| group.entries.len()).max().unwrap_or(0);
        for round in 0..rounds {
            let parts: Vec<Group<'_>> =
                groups.iter().zip(&results).filter_map(|(group, so_far)| part(group, round, so_far)).collect();
            let mut done = self.groups(&parts, Mode::Each)?.into_iter();
            let going = groups.iter().zip(&mut results).filter(|(group, _)| group.entries.len() > round);
            for ((group, so_far), done) in going.zip(&mut done) {
                match done.state.as_ref().filter(|_| has_changed(&done)).and_then(|state| too_large(group, state)) {
                    Some(failure) => so_far.outcomes.push(Outcome::Fail(failure)),
                    None => so_far.append(done),
                }
            }
        }
        Ok(results)
    }
}

/// One record of a group, with the state after the records before it.
fn part<'g>(group: &Group<'g>, entry: usize, so_far: &Grouped) -> Option<Group<'g>> {
    let entries = vec![*group.entries.get(entry)?];
    Some(Group { key: group.key, window: group.window, state: so_far.state.clone(), absorbed: Vec::new(), entries })
}

/// Whether the record has changed the state: a skipped or failed one has not.
fn has_changed(done: &Grouped) -> bool {
    matches!(done.outcomes.as_slice(), [Outcome::Outputs(_)])
}

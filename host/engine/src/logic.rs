//! The guest calls that the engine asks for: the one port that is handed state.

use std::time::Duration;

use crate::ports::{Attempt, CallError, Called, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair};
use crate::state::ProcessScope;

/// The guest calls of a worker. Pure but for `process`: the same arguments give the same results, whatever was
/// called before.
pub trait Logic {
    /// From now on, all calls together may take so long, and end with [`CallError::Overrun`] beyond it; with `None`, each
    /// takes as long as its records may. A driver that has to commit in time sets it before each run: how long a run
    /// takes depends on the rules, and can't be known before. Rules that take no time needn't know.
    fn limit_time(&mut self, _most: Option<Duration>) {}

    /// One outcome a message.
    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError>;

    /// One outcome a pair.
    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError>;

    /// One result a group.
    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError>;

    /// Processes one record with the stores in `scope`, and gives them back whatever happens. The caller undoes the
    /// scope's writes unless the outcome is good.
    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope);

    /// Calls a process function because a timer is due; otherwise like [`process`](Self::process).
    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope);
}

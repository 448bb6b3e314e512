//! The port for guest calls.

use std::time::Duration;

use crate::deployment::{ActivePlugins, GuestTime};
use crate::ports::{
    Attempt, CallError, Called, DeploymentId, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair, Stored,
};
use crate::state::ProcessScope;

/// The guest calls of a worker. All but `process` and `on_timer` are pure: their results depend on their arguments
/// only.
pub trait Logic {
    /// Limits the total time of the calls that follow; a call beyond it ends with [`CallError::Overrun`]. `None`: no
    /// limit but that of each record. A driver that must commit in time sets this before each run, because only the
    /// rules determine how long a run takes. An implementation whose calls take no time may ignore it.
    fn limit_time(&mut self, _limit: Option<Duration>) {}

    /// Only these plugins are called from now on: an implementation may free its instances of all others.
    fn adopt(&mut self, _plugins: &ActivePlugins) {}

    /// Takes the times of calls since the last time, by deployment. Empty if the implementation doesn't measure them.
    fn take_times(&mut self) -> Vec<(DeploymentId, GuestTime)> {
        Vec::new()
    }

    /// Transforms messages: one outcome per message.
    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError>;

    /// Joins pairs: one outcome per pair.
    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError>;

    /// Aggregates groups: one result per group.
    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError>;

    /// Processes one record with the stores in `scope`, and returns the scope also on errors. The caller undoes the
    /// scope's writes if the call or the record fails.
    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope);

    /// Calls a process function for a timer that is due; otherwise like [`process`](Self::process).
    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope);

    /// Rewrites values of a function's store in the version that the function writes now: one result per value, with the
    /// reason where the value can't be rewritten. `store` is the index in the function's manifest. The caller limits the
    /// number of values in a call.
    fn rewrite(
        &mut self,
        function: FunctionId,
        store: usize,
        values: &[Stored],
        attempt: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError>;
}

//! Guest calls, counted and with their time.

use std::time::Duration;

use cpu_time::ThreadTime;
use millrace_engine::logic::Logic;
use millrace_engine::ports::{
    Attempt, CallError, Called, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair, Stored,
};
use millrace_engine::state::ProcessScope;

/// Guest calls, counted and with their time.
pub(crate) struct Timed<L> {
    inner: L,
    pub(crate) spent: Duration,
    pub(crate) calls: u64,
    /// Messages, pairs and entries of groups in all calls.
    pub(crate) records: u64,
    /// CPU time of the longest call.
    pub(crate) longest: Duration,
    /// Most groups in a call of an aggregate.
    pub(crate) most_groups: usize,
}

impl<L> Timed<L> {
    pub(crate) fn new(inner: L) -> Self {
        Self { inner, spent: Duration::ZERO, calls: 0, records: 0, longest: Duration::ZERO, most_groups: 0 }
    }

    fn time<T>(&mut self, records: usize, call: impl FnOnce(&mut L) -> T) -> T {
        let start = ThreadTime::now();
        let result = call(&mut self.inner);
        let spent = start.elapsed();
        self.spent += spent;
        self.longest = self.longest.max(spent);
        self.calls += 1;
        self.records += records as u64;
        result
    }
}

impl<L: Logic> Logic for Timed<L> {
    fn limit_time(&mut self, limit: Option<Duration>) {
        self.inner.limit_time(limit);
    }

    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        self.time(messages.len(), |inner| inner.transform(function, messages, attempt))
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        self.time(pairs.len(), |inner| inner.join(function, pairs, attempt))
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        self.most_groups = self.most_groups.max(groups.len());
        let records = groups.iter().map(|group| group.entries.len()).sum();
        self.time(records, |inner| inner.aggregate(function, groups, mode, attempt))
    }

    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        self.time(1, |inner| inner.process(function, message, scope, attempt))
    }

    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        self.time(1, |inner| inner.on_timer(function, due, scope, attempt))
    }

    fn rewrite(
        &mut self,
        function: FunctionId,
        store: usize,
        values: &[Stored],
        attempt: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        self.time(values.len(), |inner| inner.rewrite(function, store, values, attempt))
    }
}

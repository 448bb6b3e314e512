//! A shadow that does all that a bad version may do: it fails, traps, puts out other records, and writes what it likes.

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::ports::{
    Attempt, CallError, Called, Due, Fault, Field, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair, Stored,
};
use millrace_engine::state::ProcessScope;

use super::Rules;

/// Deployment 0 has the rules, and deployment 1 is wild.
pub struct Wild {
    pub rules: Rules,
    pub calls: u64,
}

impl Wild {
    /// How the wild version behaves in this call; none if it isn't its call.
    fn mood(&mut self, function: FunctionId) -> Option<u64> {
        (function.deployment.0 == 1).then(|| {
            self.calls += 1;
            self.calls % 5
        })
    }
}

fn trap<T>() -> Result<T, CallError> {
    Err(CallError::Guest { fault: Fault::Trap, at: None, text: "wild".into() })
}

fn strange(mut outcome: Outcome) -> Outcome {
    if let Outcome::Outputs(outputs) = &mut outcome {
        outputs.iter_mut().for_each(|output| output.value = Field::Bytes("strange".into()));
        outputs.extend(outputs.first().cloned());
    }
    outcome
}

fn changed(called: Result<Called<Vec<Outcome>>, CallError>, mood: u64) -> Result<Called<Vec<Outcome>>, CallError> {
    match mood {
        0 => trap(),
        1 => called,
        2 => Err(CallError::Host("wild".into())),
        _ => called.map(|called| Called { result: called.result.into_iter().map(strange).collect(), ..called }),
    }
}

impl Logic for Wild {
    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let mood = self.mood(function);
        let called = self.rules.transform(function, messages, attempt);
        match mood {
            Some(mood) => changed(called, mood),
            None => called,
        }
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let mood = self.mood(function);
        let called = self.rules.join(function, pairs, attempt);
        match mood {
            Some(mood) => changed(called, mood),
            None => called,
        }
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        let mood = self.mood(function);
        let called = self.rules.aggregate(function, groups, mode, attempt);
        let strange = |grouped: Grouped| Grouped {
            state: Some(Stored { version: 9, bytes: Bytes::from("strange") }),
            outcomes: grouped.outcomes.into_iter().map(strange).collect(),
            ..grouped
        };
        match mood {
            Some(0) => trap(),
            Some(2) => Err(CallError::Host("wild".into())),
            Some(3 | 4) => {
                called.map(|called| Called { result: called.result.into_iter().map(strange).collect(), ..called })
            }
            _ => called,
        }
    }

    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        mut scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        let Some(mood) = self.mood(function) else { return self.rules.process(function, message, scope, attempt) };
        if mood != 1 {
            scope.put(0, Bytes::from("strange"), Stored { version: 1, bytes: Bytes::from("strange") });
        }
        let (called, scope) = self.rules.process(function, message, scope, attempt);
        (if mood == 0 { trap() } else { called }, scope)
    }

    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        mut scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        let Some(mood) = self.mood(function) else { return self.rules.on_timer(function, due, scope, attempt) };
        if mood != 1 {
            scope.delete(0, Bytes::copy_from_slice(due.key.unwrap_or_default()));
        }
        let (called, scope) = self.rules.on_timer(function, due, scope, attempt);
        (if mood == 0 { trap() } else { called }, scope)
    }

    fn rewrite(
        &mut self,
        function: FunctionId,
        store: usize,
        values: &[Stored],
        attempt: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        self.rules.rewrite(function, store, values, attempt)
    }
}

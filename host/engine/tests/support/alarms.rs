//! A process function that sets timers by the commands in a record: `at.NAME.TIME`, `in.NAME.DELAY`, `off.NAME`, with a
//! `w` in front for the driver's clock, and `+` between several.
//!
//! A timer's name decides what it does when it fires: `bad` fails, `boom` traps, `again` sets itself for the same time
//! until it has fired three times for its key, `chain` sets `end`, `stop` cancels `victim`, and `move` sets `victim`
//! for its own time.

use bytes::Bytes;
use millrace_engine::ports::{Clock, Due, Failure, FailureClass, Field, Outcome, Output, Stored};
use millrace_engine::state::ProcessScope;

pub fn on_record(scope: &mut ProcessScope, value: &str) -> Outcome {
    for command in value.split('+') {
        let words: Vec<&str> = command.split('.').collect();
        let clock = if command.starts_with('w') { Clock::Wall } else { Clock::Stream };
        match (words[0].trim_start_matches('w'), &words[1..]) {
            ("at", [name, time]) => scope.set_at(name, number(time) as i64, clock).unwrap(),
            ("in", [name, delay]) => scope.set_after(name, number(delay), clock).unwrap(),
            ("off", [name]) => scope.cancel(name, clock).unwrap(),
            _ => {}
        }
    }
    put_out(value)
}

/// The digits at the beginning of a word: earlier steps may have appended text.
fn number(word: &str) -> u64 {
    let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Emits name, time, and how many timers of the key have fired.
pub fn on_timer(scope: &mut ProcessScope, due: Due<'_>) -> Outcome {
    let key = due.key.unwrap_or_default();
    let fired = scope.get(0, key).unwrap().map_or(0, |stored| stored.bytes[0]) + 1;
    scope.put(0, Bytes::copy_from_slice(key), Stored { version: 1, bytes: vec![fired].into() });
    match due.name {
        "again" if fired < 3 => scope.set_at("again", due.time, due.clock).unwrap(),
        "chain" => scope.set_after("end", 3, due.clock).unwrap(),
        "stop" => scope.cancel("victim", due.clock).unwrap(),
        "move" => scope.set_at("victim", due.time, due.clock).unwrap(),
        name if name.starts_with("bad") => {
            scope.set_at("never", 0, due.clock).unwrap();
            let (class, code) = (FailureClass::Permanent, "bad".into());
            return Outcome::Fail(Failure { class, code, text: "no use".into() });
        }
        _ => {}
    }
    let clock = if due.clock == Clock::Wall { "w" } else { "" };
    put_out(&format!("{clock}{}.{}#{fired}", due.name, due.time))
}

fn put_out(value: &str) -> Outcome {
    let value = Field::Bytes(Bytes::copy_from_slice(value.as_bytes()));
    Outcome::Outputs(vec![Output { port: 0, key: Field::Inherit, value, timestamp: None, headers: None }])
}

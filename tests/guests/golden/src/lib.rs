//! The rules of the golden cases. Their results tell what an operator did: who met whom, and in which order.

use std::time::Duration;

use millrace_sdk::prelude::*;

/// `left+right`, with `~` for a side that is missing.
#[join]
pub fn join(left: Option<&str>, right: Option<&str>) -> String {
    format!("{}+{}", left.unwrap_or("~"), right.unwrap_or("~"))
}

/// All that has come, as text: `,value` for what was added, `,-value` for what was taken back, `|` where two states
/// became one. A null value is the text `null`.
pub struct Append;

#[aggregate]
impl Aggregate for Append {
    type Key = Vec<u8>;
    type Input = Option<String>;
    type State = String;
    type Output = String;

    fn init(_key: &Vec<u8>) -> String {
        String::new()
    }

    fn add(all: &mut String, _key: &Vec<u8>, value: Option<String>, _ctx: &Ctx) -> Result<()> {
        all.push(',');
        all.push_str(value.as_deref().unwrap_or("null"));
        Ok(())
    }

    fn subtract(all: &mut String, _key: &Vec<u8>, value: Option<String>, _ctx: &Ctx) -> Result<()> {
        all.push_str(",-");
        all.push_str(value.as_deref().unwrap_or("null"));
        Ok(())
    }

    fn merge(earlier: String, later: String, _key: &Vec<u8>) -> Result<String> {
        Ok(format!("{earlier}|{later}"))
    }

    fn result(all: &String, _key: &Vec<u8>, _ctx: &Ctx) -> Result<String> {
        Ok(all.clone())
    }
}

/// Does with timers what the value says, in commands divided by `;`: `at CLOCK TIME NAME`, `after CLOCK DELAY NAME`
/// and `cancel CLOCK NAME`, with `stream` or `wall` as clock and times in milliseconds; `forget NAME` begins to count
/// anew how often it has fired. Puts nothing out. Anything else fails, and undoes what stands before it.
#[process(on_timer = fired)]
pub fn timers(
    key: Option<Key<Vec<u8>>>,
    commands: &str,
    timers: Timers,
    times: Store<(Vec<u8>, String), u64>,
) -> Result<()> {
    let key = key.map(|key| key.0).unwrap_or_default();
    for command in commands.split(';') {
        match *command.split_whitespace().collect::<Vec<_>>() {
            ["at", clock, time, name] => timers.set_at(name, time.parse()?, self::clock(clock)?),
            ["after", clock, delay, name] => {
                timers.set_after(name, Duration::from_millis(delay.parse()?), self::clock(clock)?);
            }
            ["cancel", clock, name] => timers.cancel(name, self::clock(clock)?),
            ["forget", name] => times.delete(&(key.clone(), name.to_owned())),
            _ => return Err(Error::bad_value(format!("not a command: {command:?}"))),
        }
    }
    Ok(())
}

/// Puts out `NAME CLOCK TIME N`, where the timer has fired for the Nth time for this key. One whose name begins with
/// `every-` and a number sets itself anew, so many milliseconds after the time that it was set for.
#[on_timer]
pub fn fired(
    key: Option<Key<Vec<u8>>>,
    timer: Timer,
    timers: Timers,
    times: Store<(Vec<u8>, String), u64>,
) -> Result<String> {
    let place = (key.map(|key| key.0).unwrap_or_default(), timer.name.clone());
    let n = times.get(&place)?.unwrap_or(0).saturating_add(1);
    times.put(&place, &n)?;
    if let Some(period) = timer.name.strip_prefix("every-") {
        timers.set_at(&timer.name, timer.time.saturating_add(period.parse()?), timer.clock);
    }
    let clock = if timer.clock == Clock::Wall { "wall" } else { "stream" };
    Ok(format!("{} {clock} {} {n}", timer.name, timer.time))
}

fn clock(name: &str) -> Result<Clock> {
    match name {
        "stream" => Ok(Clock::Stream),
        "wall" => Ok(Clock::Wall),
        _ => Err(Error::bad_value(format!("not a clock: {name:?}"))),
    }
}

/// The record as it came.
#[transform]
pub fn pass() -> Unchanged {
    Unchanged
}

/// The record under the first character of its value.
#[transform(rekey)]
pub fn rekey(value: &str) -> Output {
    Output::new().key(value.chars().take(1).collect::<String>()).unchanged()
}

plugin! { name: "golden", functions: [join, Append, timers, pass, rekey] }

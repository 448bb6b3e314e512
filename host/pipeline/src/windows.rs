//! Reads the windows of an aggregate.

use std::time::Duration;

use super::diagnostic::Placed;
use super::fields::Fields;
use super::scalars::show_milliseconds;
use millrace_engine::topology::{Emit, WindowKind, Windows};

const HELP: &str = "write { tumbling = \"5m\" }, { hopping = \"5m\", every = \"1m\" }, { sliding = \"5m\" } or \
                    { session = \"30m\" }";
/// Keys of the step that are often misplaced into `window`.
const OF_THE_STEP: [&str; 3] = ["grace", "retention", "emit"];

/// Most hopping windows of a record: it changes the state of each.
const MOST_HOPS: i64 = 2_000;

const EMITS: [(&str, Emit); 3] = [("each", Emit::Each), ("commit", Emit::Commit), ("final", Emit::Final)];

/// Reads `window`, `grace`, `retention` and `emit`. `None` if the file has no windows, or wrong ones.
pub(super) fn read(fields: &mut Fields<'_>) -> (Option<Windows>, Emit) {
    let kind = read_window(fields);
    let grace = fields.duration("grace");
    let retention = fields.duration("retention");
    let emit = fields.choice("emit", &EMITS);
    if !fields.given("window") {
        if let Some(grace) = &grace {
            fields.wrong(
                grace.at,
                "grace",
                "there is no `window` that it could be of",
                "leave it out, or add a window",
            );
        }
        if let Some(emit) = emit.as_ref().filter(|emit| emit.value == Emit::Final) {
            let why = "without a `window` no result is ever final";
            fields.wrong(emit.at, "emit", why, "it can be \"each\" or \"commit\" here, or add a window");
        }
    }
    let is_session = matches!(kind, Some(WindowKind::Session { .. }));
    let is_final = emit.as_ref().is_some_and(|emit| emit.value == Emit::Final);
    if let Some(retention) = retention.as_ref().filter(|_| !is_final && !is_session) {
        let why = "only final results and records of sessions can come too late for it";
        fields.wrong(retention.at, "retention", why, "leave it out, say emit = \"final\", or take a session window");
    }
    let grace = grace.map(|grace| milliseconds(grace.value)).unwrap_or_default();
    let windows = kind.map(|kind| Windows { kind, grace, retention: None });
    let windows = windows.map(|windows| Windows { retention: read_retention(fields, retention, windows), ..windows });
    (windows, emit.map(|emit| emit.value).unwrap_or_default())
}

/// The retention in milliseconds. One that is shorter than what the windows need would have no effect; Kafka Streams
/// refuses it as well.
fn read_retention(fields: &mut Fields<'_>, retention: Option<Placed<Duration>>, windows: Windows) -> Option<i64> {
    let Placed { at, value } = retention?;
    let (kept, least) = (milliseconds(value), windows.kept());
    if kept < least {
        let why = format!("windows of this kind and their `grace` need {}", show_milliseconds(least));
        fields.wrong(at, "retention", &why, "write that or more, or leave it out");
    }
    Some(kept)
}

/// Durations are at most 100 years.
pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn read_window(fields: &mut Fields<'_>) -> Option<WindowKind> {
    let mut window = fields.table("window", HELP)?;
    let at = window.at;
    let tumbling = window.some_time("tumbling");
    let hopping = window.some_time("hopping");
    let sliding = window.some_time("sliding");
    // A gap of 0 joins records with the same timestamp, as in Kafka Streams.
    let session = window.duration("session");
    let every = window.some_time("every");
    let kinds = ["tumbling", "hopping", "sliding", "session"];
    let given = kinds.iter().filter(|kind| window.given(kind)).count();
    for key in OF_THE_STEP {
        if let Some(entry) = window.misplaced(key) {
            let message = format!("`{key}` is no key of {}, but of the step", window.title);
            window.problems.add(entry.at, message, format!("write it on a line of its own: {key} = ..."));
        }
    }
    // An unknown key is reported separately.
    if given > 1 || (given == 0 && !window.has_unknown()) {
        window.problems.add(at, format!("{} must name one kind of window, not {given}", window.title), HELP);
    }
    let kind = if window.given("hopping") {
        let every = window.required("every", every, HELP);
        hopping.zip(every).and_then(|(size, every)| read_hops(&mut window, &size, &every))
    } else {
        if let Some(every) = every {
            window.wrong(every.at, "every", "only hopping windows have it", HELP);
        }
        let time = |time: Option<Placed<Duration>>| time.map(|time| milliseconds(time.value));
        let tumbling = time(tumbling).map(|size| WindowKind::Hopping { size, every: size });
        let sliding = time(sliding).map(|difference| WindowKind::Sliding { difference });
        tumbling.or(sliding).or(time(session).map(|gap| WindowKind::Session { gap }))
    };
    window.finish();
    kind.filter(|_| given == 1)
}

fn read_hops(window: &mut Fields<'_>, size: &Placed<Duration>, every: &Placed<Duration>) -> Option<WindowKind> {
    if every.value > size.value {
        let why = "windows further apart than they are long would leave out what lies between";
        window.wrong(every.at, "every", why, "it can be as long as the window at most");
        return None;
    }
    let (length, hop) = (milliseconds(size.value), milliseconds(every.value));
    let windows = length.saturating_add(hop.saturating_sub(1)) / hop.max(1);
    if windows > MOST_HOPS {
        let least = Duration::from_millis((length / MOST_HOPS + i64::from(length % MOST_HOPS > 0)).unsigned_abs());
        let why = format!("each record would be in {windows} windows, and {MOST_HOPS} are the most");
        let help = format!(
            "begin windows at least {least:?} apart, or write {{ sliding = ... }}: one window for each set of records that \
             are close enough"
        );
        window.wrong(every.at, "every", why, help);
        return None;
    }
    Some(WindowKind::Hopping { size: length, every: hop })
}

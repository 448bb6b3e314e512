//! A steady rate, and how long each result takes.

use std::time::Duration;

use crate::failure::Failure;
use crate::figures::Latency;
use crate::setup::{self, Setup};
use crate::system::Run;
use crate::tell;
use crate::tools::Keep;

/// How long a system may take until it runs on empty topics.
const TO_START: Duration = Duration::from_secs(120);
/// How often it is looked at while the tool works.
const LOOK: Duration = Duration::from_secs(1);

/// Measures a run.
pub(crate) fn measure(setup: &Setup, run: Run) -> Result<Latency, Failure> {
    let options = &setup.options;
    tell(&format!("{run}, {} orders/s for {} s", options.rate, options.seconds));
    let state = setup.folder.path().join("state");
    setup::remove(&state)?;
    setup.tools.reset(Keep::Nothing)?;
    let mut process = run.start(setup, &state)?;
    process.wait_for("running", TO_START)?;
    let arguments = [("rate", options.rate), ("warm-up", options.warm_up), ("seconds", options.seconds)];
    let mut tool = setup.tools.start("live", &arguments.map(|(name, value)| (name, value.to_string())))?;
    let line = loop {
        if let Some(line) = tool.next(LOOK)? {
            break line;
        }
        process.check()?;
    };
    process.stop()?;
    setup::remove(&state)?;
    let figure = |field| {
        let name = "the tool `live`".to_owned();
        line.number(field).ok_or_else(|| Failure::Odd { name, field, line: format!("{line:?}") })
    };
    Ok(Latency {
        rate: figure("orders_per_s")?,
        p50: figure("p50_ms")?,
        p95: figure("p95_ms")?,
        p99: figure("p99_ms")?,
        max: figure("max_ms")?,
    })
}

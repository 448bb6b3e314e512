//! A steady rate, and how long each result takes.

use std::time::Duration;

use crate::failure::Failure;
use crate::figures::{Latencies, Latency};
use crate::process::Line;
use crate::setup::{self, Setup};
use crate::system::Run;
use crate::tell;
use crate::tools::Keep;

/// How long a system may take until it runs on empty topics.
const TO_START: Duration = Duration::from_secs(120);
/// How often it is looked at while the tool works.
const LOOK: Duration = Duration::from_secs(1);

/// Measures a run.
pub(crate) fn measure(setup: &Setup, run: Run) -> Result<Latencies, Failure> {
    let options = &setup.options;
    tell(&format!("{run}, {} {}/s for {} s", options.rate, run.pipeline.unit, options.seconds));
    let state = setup.folder.path().join("state");
    setup::remove(&state)?;
    setup.tools.reset(run.pipeline, Keep::Nothing)?;
    let mut process = run.start(setup, &state)?;
    process.wait_for("running", TO_START)?;
    let numbers = [("rate", options.rate), ("warm-up", options.warm_up), ("seconds", options.seconds)];
    let mut arguments = numbers.map(|(name, value)| (name, value.to_string())).to_vec();
    arguments.push(("group", run.group().to_owned()));
    let mut tool = setup.tools.start("live", run.pipeline, &arguments)?;
    let mut topics = Vec::new();
    let rate = loop {
        match tool.next(LOOK)? {
            Some(line) if line.says("done") => break figure(&line, "rate")?,
            Some(line) => topics.push(latency(&line)?),
            None => process.check()?,
        }
    };
    process.stop()?;
    setup::remove(&state)?;
    Ok(Latencies { rate, topics })
}

/// Reads a line about the results in a topic.
fn latency(line: &Line) -> Result<Latency, Failure> {
    Ok(Latency {
        topic: line.text("topic").ok_or_else(|| odd(line, "topic"))?.to_owned(),
        results: figure(line, "results")?,
        p50: figure(line, "p50_ms")?,
        p95: figure(line, "p95_ms")?,
        p99: figure(line, "p99_ms")?,
        max: figure(line, "max_ms")?,
    })
}

fn figure(line: &Line, field: &'static str) -> Result<f64, Failure> {
    line.number(field).ok_or_else(|| odd(line, field))
}

fn odd(line: &Line, field: &'static str) -> Failure {
    Failure::Odd { name: "the tool `live`".to_owned(), field, line: format!("{line:?}") }
}

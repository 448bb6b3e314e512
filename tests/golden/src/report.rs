//! Failures, for people: the case, and both outputs side by side.

use std::fmt;

use crate::agreement::{by_topic, is_same};
use crate::case::{Case, Input, OUT, Output, Subject};
use crate::mode::Mode;

/// A case that didn't come out as it should, in one of the modes.
#[derive(Debug)]
pub struct Failure<'c> {
    /// The case.
    pub case: &'c Case,
    /// How it was run; `None`: in none, since its pipeline is refused.
    pub mode: Option<Mode>,
    /// What came out, or why nothing did.
    pub result: Result<Vec<Output>, String>,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.case.subject {
            Subject::Op(op) => {
                let op = serde_json::to_string(op).map_err(|_| fmt::Error)?;
                write!(out, "{}: {op}", self.case.name)?;
            }
            Subject::Pipeline(_) => write!(out, "{}", self.case.name)?,
        }
        if let Some(mode) = self.mode {
            write!(out, ": {mode}")?;
        }
        match (&self.result, &self.case.subject) {
            (Err(reason), _) => writeln!(out, "\n  {}", reason.replace('\n', "\n  ")),
            (Ok(outputs), Subject::Op(_)) => {
                writeln!(out)?;
                rows(self.case, outputs).iter().try_for_each(|row| row.print(out))
            }
            (Ok(outputs), Subject::Pipeline(_)) => {
                writeln!(out)?;
                differences(out, self.case, outputs)
            }
        }
    }
}

/// Inputs of a pipeline whose outputs are shown.
const SHOWN: usize = 3;

/// The first inputs of a pipeline after which the outputs differ: values are too long for a table.
fn differences(out: &mut fmt::Formatter<'_>, case: &Case, actual: &[Output]) -> fmt::Result {
    let after = |outputs: &[Output], number: usize| -> Vec<Output> {
        outputs.iter().filter(|output| output.after == number).cloned().collect()
    };
    let mut shown = 0;
    for (number, input) in case.inputs.iter().enumerate() {
        let expected = Case { outputs: after(&case.outputs, number), ..case.clone() };
        let actual = after(actual, number);
        if is_same(&expected, &actual) {
            continue;
        }
        shown += 1;
        if shown > SHOWN {
            return writeln!(out, "  ... and after other inputs");
        }
        writeln!(out, "! {number:>3}  {}", show_input(input))?;
        for (name, outputs) in [("Kafka Streams", &expected.outputs), ("Millrace", &actual)] {
            for output in by_topic(outputs) {
                writeln!(out, "       {name:<13}  {} {}", output.topic, show_output(output))?;
            }
        }
    }
    match shown {
        0 => writeln!(out, "  after each input the same, but in another order, with other ids or other bytes"),
        _ => Ok(()),
    }
}

/// One line of the table: what comes in, and what the two put out after it.
struct Row {
    after: String,
    input: String,
    expected: String,
    actual: String,
}

fn rows(case: &Case, actual: &[Output]) -> Vec<Row> {
    let title = |text: &str| text.to_owned();
    let mut rows = vec![Row {
        after: title("n"),
        input: title("in"),
        expected: title("Kafka Streams"),
        actual: title("Millrace"),
    }];
    for (number, input) in case.inputs.iter().enumerate() {
        let expected: Vec<_> = case.outputs.iter().filter(|output| output.after == number).map(show_any).collect();
        let actual: Vec<_> = actual.iter().filter(|output| output.after == number).map(show_any).collect();
        for line in 0..expected.len().max(actual.len()).max(1) {
            let first = line == 0;
            rows.push(Row {
                after: if first { number.to_string() } else { String::new() },
                input: if first { show_input(input) } else { String::new() },
                expected: expected.get(line).cloned().unwrap_or_default(),
                actual: actual.get(line).cloned().unwrap_or_default(),
            });
        }
    }
    rows
}

impl Row {
    fn print(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, input, expected, actual } = self;
        let mark = if after == "n" || expected == actual { ' ' } else { '!' };
        let line = format!("{mark} {after:>3}  {input:<22} {expected:<40} {actual}");
        writeln!(out, "{}", line.trim_end())
    }
}

fn show_input(input: &Input) -> String {
    let Input { topic, key, value, timestamp } = input;
    format!("{topic:<5} {}={} @{timestamp}", show(key), show(value))
}

/// An operator has one topic. What comes out elsewhere is a dead letter.
fn show_any(output: &Output) -> String {
    let elsewhere = if output.topic == OUT { String::new() } else { format!("to {}: ", output.topic) };
    format!("{elsewhere}{}", show_output(output))
}

fn show_output(output: &Output) -> String {
    let window = output.window.map(|(start, end)| format!("[{start},{end}]")).unwrap_or_default();
    format!("{}{window}={} @{}", show(&output.key), show(&output.value), output.timestamp)
}

fn show(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("null")
}

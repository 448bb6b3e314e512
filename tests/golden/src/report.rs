//! Failures, for people: the case, and both outputs side by side.

use std::fmt;

use crate::case::{Case, Input, Output};
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
        let op = serde_json::to_string(&self.case.op).map_err(|_| fmt::Error)?;
        write!(out, "{}: {op}", self.case.name)?;
        if let Some(mode) = self.mode {
            write!(out, ": {mode}")?;
        }
        match &self.result {
            Err(reason) => writeln!(out, "\n  {}", reason.replace('\n', "\n  ")),
            Ok(outputs) => {
                writeln!(out)?;
                rows(self.case, outputs).iter().try_for_each(|row| row.print(out))
            }
        }
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
        let expected: Vec<_> = case.outputs.iter().filter(|output| output.after == number).map(show_output).collect();
        let actual: Vec<_> = actual.iter().filter(|output| output.after == number).map(show_output).collect();
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
    format!("{:<5} {}={} @{timestamp}", topic.topic(), show(key), show(value))
}

fn show_output(output: &Output) -> String {
    let window = output.window.map(|(start, end)| format!("[{start},{end}]")).unwrap_or_default();
    format!("{}{window}={} @{}", show(&output.key), show(&output.value), output.timestamp)
}

fn show(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("null")
}

//! `millrace offsets`: shows or sets where an app on Kafka continues.

use std::io::{self, Write};

use anyhow::{Result, bail};
use millrace_kafka::offsets::{Offsets, Place, Plan, Selection};
use millrace_kafka::records::Connection;

use super::agreement::agreed;
use crate::args;
use crate::say::note;

/// Shows the offsets of an app; or shows a plan, asks for confirmation, and sets them.
///
/// # Errors
/// There is no such app, topic or partition; or the app is running, no offset can be set, nobody agrees, or a broker
/// refuses.
pub fn offsets(arguments: &args::Offsets) -> Result<()> {
    let args::Offsets { app, kafka, set, topics, partitions, goal, yes } = arguments;
    let connection = Connection::open(app, kafka, &set.all()?)?;
    let offsets = Offsets::look(&connection, app, Selection { topics, partitions })?;
    let Some(to) = goal.to() else { return show(&mut io::stdout().lock(), offsets.places()) };
    let plan = offsets.plan(&connection, to)?;
    let mut shown = Vec::new();
    show_plan(&mut shown, app, &plan)?;
    note(String::from_utf8_lossy(&shown).trim_end());
    if !yes && !agreed(app, "nothing was set")? {
        bail!("nothing was set");
    }
    plan.run(&connection)?;
    note(format_args!("set: `{app}` goes on there when it is started"));
    Ok(())
}

fn show(out: &mut impl Write, places: &[Place]) -> Result<()> {
    let head = ["topic", "partition", "offset", "first", "end", "lag", "processed up to", ""].map(str::to_owned);
    let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let row = |place: &Place| {
        let (topic, partition) = (place.topic.clone(), place.partition.to_string());
        let [offset, lag, time] = [place.offset, place.lag(), place.time].map(number);
        let [first, end] = [place.first, place.end].map(|offset| offset.to_string());
        [topic, partition, offset, first, end, lag, time, place.standing.said().to_owned()]
    };
    table(out, std::iter::once(head).chain(places.iter().map(row)).collect())
}

fn show_plan(out: &mut impl Write, app: &str, plan: &Plan) -> Result<()> {
    writeln!(out, "To be set for the group `{app}`:")?;
    let head = ["topic", "partition", "offset", "new offset", ""].map(str::to_owned);
    let row = |(new, place): &(i64, Place)| {
        let before = place.offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        let said = place.standing.said().to_owned();
        [place.topic.clone(), place.partition.to_string(), before, new.to_string(), said]
    };
    table(out, std::iter::once(head).chain(plan.set().iter().map(row)).collect())?;
    if !plan.stay().is_empty() {
        writeln!(out, "To stay as they are:")?;
    }
    for reason in plan.stay() {
        writeln!(out, "  {reason}")?;
    }
    writeln!(
        out,
        "Records before a new offset aren't processed; those from it on are, also where they have been before."
    )?;
    Ok(())
}

/// Prints rows in columns: the first and the last aligned to the left, numbers to the right.
fn table<const N: usize>(out: &mut impl Write, rows: Vec<[String; N]>) -> Result<()> {
    let mut widths = [0; N];
    for (width, cell) in rows.iter().flat_map(widths_of) {
        if let Some(widest) = widths.get_mut(width) {
            *widest = cell.max(*widest);
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths).enumerate().map(|(index, (cell, width))| match index {
            0 => format!("{cell:width$}"),
            _ if index + 1 == N => cell.clone(),
            _ => format!("{cell:>width$}"),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn widths_of<const N: usize>(row: &[String; N]) -> impl Iterator<Item = (usize, usize)> + '_ {
    row.iter().map(|cell| cell.chars().count()).enumerate()
}

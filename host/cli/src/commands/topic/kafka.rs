//! Topics of a Kafka cluster.

mod outcome;
mod write;

use std::io::Write;
use std::ops::ControlFlow;

use anyhow::{Result, anyhow, bail};
use millrace_engine::secret::Secret;
use millrace_kafka::records::Connection;

use super::{Printer, Wanted};
use crate::say::say;
use millrace_pipeline::nearest;

pub(in crate::commands) use write::{Written, write};

/// Topics of Kafka's own begin like this.
const KAFKAS: &str = "__";

/// Connects to a cluster.
pub(super) fn connect(bootstrap: &str, settings: &[(String, Secret)]) -> Result<Connection> {
    Ok(Connection::open("millrace", bootstrap, settings)?)
}

/// The number of partitions of a topic.
fn find(connection: &Connection, name: &str) -> Result<u32> {
    let topics = connection.topics();
    topics.get(name).copied().ok_or_else(|| {
        let names = topics.keys().map(String::as_str).filter(|name| !name.starts_with(KAFKAS));
        match nearest(name, names) {
            Some(meant) => anyhow!("there is no topic `{name}`; did you mean `{meant}`?"),
            None => {
                anyhow!("there is no topic `{name}`; `topic list` shows those that are there, `topic create` makes one")
            }
        }
    })
}

/// A partition that a topic has.
fn check_partition(topic: &str, partition: u32, count: u32) -> Result<()> {
    match partition < count {
        true => Ok(()),
        false => bail!("topic `{topic}` has no partition {partition}: its last one is {}", count.saturating_sub(1)),
    }
}

/// Prints the records of a topic.
pub(super) fn read(connection: &Connection, wanted: &Wanted<'_>, out: &mut impl Write) -> Result<()> {
    let Wanted { topic, partition, from, limit, key } = *wanted;
    let count = find(connection, topic)?;
    partition.map_or(Ok(()), |partition| check_partition(topic, partition, count))?;
    let mut reading = connection.read(topic)?;
    let mut printer = Printer { topic, codec: key, left: limit, line: Vec::new() };
    for number in partition.map_or(0..count, |partition| partition..partition + 1) {
        if printer.left == 0 {
            return Ok(());
        }
        let mut printed = Ok(());
        reading.partition(number, from, &mut |record| {
            printed = printer.print(number, record, out);
            if printed.is_err() || printer.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        printed?;
    }
    if printer.left > 0 && reading.uncommitted(partition) > 0 {
        say(format_args!(
            "{} more offsets aren't committed yet: they belong to a transaction that is open, or come after it",
            reading.uncommitted(partition)
        ));
    }
    Ok(())
}

/// All topics but Kafka's own, with their numbers of partitions and records.
pub(super) fn list(connection: &Connection) -> Result<Vec<(String, u32, i64)>> {
    let topics: Vec<_> = connection.topics().iter().filter(|(name, _)| !name.starts_with(KAFKAS)).collect();
    let names: Vec<_> = topics.iter().map(|(name, _)| name.as_str()).collect();
    let ranges = connection.ranges(&names)?;
    let count = |name: &str, partitions: u32| -> i64 {
        let ranges = (0..partitions).filter_map(|number| ranges.get(&(name.to_owned(), number)));
        ranges.map(|(low, high)| high - low).sum()
    };
    Ok(topics.into_iter().map(|(name, partitions)| (name.clone(), *partitions, count(name, *partitions))).collect())
}

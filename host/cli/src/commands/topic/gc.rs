//! `millrace topics gc`: deletes the internal topics that an app on Kafka has made and its pipeline no longer has.

use anyhow::{Result, bail};
use millrace_kafka::gc::{Gc, Orphan};
use millrace_kafka::records::Connection;

use crate::args;
use crate::commands::agreement::agreed;
use crate::load::load;
use crate::say::note;

/// The end of a refusal.
const NOTHING: &str = "nothing was deleted";

/// Lists the orphaned topics of an app, asks for confirmation, and deletes them.
///
/// # Errors
/// The pipeline has mistakes, or isn't the one that the app ran with last; the app is running, a topic has unprocessed
/// records, nobody agrees, or a broker refuses.
pub(super) fn gc(arguments: &args::Gc) -> Result<()> {
    let args::Gc { pipeline, kafka, drop_unprocessed, yes } = arguments;
    let topology = load(pipeline)?.topology;
    let app = topology.app.as_str();
    let mut connection = Connection::open(app, kafka, &topology.kafka)?;
    let gc = Gc::plan(&connection, &topology)?;
    show(&gc);
    let (orphans, unprocessed) = (gc.orphans().len(), unprocessed(gc.orphans()));
    if orphans == 0 {
        gc.run(&mut connection)?;
        note(format_args!("nothing to delete: the app `{app}` has no orphaned topics"));
        return Ok(());
    }
    if let (false, Some((topics, records))) = (drop_unprocessed, &unprocessed) {
        bail!(
            "{topics} has records that no task has processed ({records}): {NOTHING}. To process them, run the pipeline that \
             reads them with --until-idle, and then this one again; to lose them, say --drop-unprocessed"
        );
    }
    if !yes && !agreed(app, NOTHING)? {
        bail!(NOTHING);
    }
    gc.run(&mut connection)?;
    let dropped =
        unprocessed.map(|(_, records)| format!("; unprocessed records in them: {records}")).unwrap_or_default();
    note(format_args!("deleted: {orphans} topic{}{dropped}", if orphans == 1 { "" } else { "s" }));
    Ok(())
}

fn show(gc: &Gc<'_>) {
    for name in gc.replaced() {
        note(format_args!(
            "To stay: topic `{name}` isn't the one that the app has made: that one was deleted, and this one made since"
        ));
    }
    if !gc.orphans().is_empty() {
        note("To be deleted:");
    }
    for Orphan { topic, description, .. } in gc.orphans() {
        note(format_args!("  `{topic}`: {description}"));
    }
}

/// The topics with records that no task has processed, and the number of these; `None` if there are none.
fn unprocessed(orphans: &[Orphan]) -> Option<(String, u64)> {
    let some: Vec<_> = orphans.iter().filter(|orphan| orphan.unprocessed > 0).collect();
    let names: Vec<_> = some.iter().map(|orphan| format!("`{}`", orphan.topic)).collect();
    let records = some.iter().map(|orphan| orphan.unprocessed).sum();
    (!some.is_empty()).then(|| (names.join(", "), records))
}

//! The report of the demo.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use millrace_engine::ledger::{CounterKind, Ledger};

use super::business::{Section, findings};
use super::look::Found;
use crate::args::{self, DemoKind};
use crate::data::database_of;

/// The report.
pub(super) struct Report<'a> {
    pub(super) arguments: &'a args::Demo,
    /// Number of records of the sample, by topic.
    pub(super) records: BTreeMap<String, u64>,
    pub(super) took: Duration,
    pub(super) ledger: &'a Ledger,
    pub(super) found: Found,
}

impl Report<'_> {
    pub(super) fn print(&self) -> Result<()> {
        let mut out = io::stdout().lock();
        let kind = self.arguments.kind;
        let (headline, sections) = findings(kind, &self.found.results);
        writeln!(out, "{}", self.heading(headline))?;
        let (input, results) = (self.records.values().sum::<u64>(), self.results());
        writeln!(out, "  {input:>6}  records in, {}", self.arguments.input().display())?;
        let rate = self.ledger.consumed as f64 / self.took.as_secs_f64().max(1e-6);
        let which = match kind {
            DemoKind::Orders => format!(": these, and {results} results, which are read back"),
            _ if self.ledger.consumed == input => String::new(),
            _ => format!(": these, and {} that got another key", self.ledger.consumed.saturating_sub(input)),
        };
        writeln!(
            out,
            "  {:>6}  records processed in {:.0} ms ({rate:.0} records/s){which}",
            self.ledger.consumed,
            self.took.as_secs_f64() * 1e3
        )?;
        match kind {
            DemoKind::Orders => {
                self.print_records(&mut out, results)?;
                self.print_statuses(&mut out)?;
                self.print_misses(&mut out)?;
            }
            _ => self.print_findings(&mut out, &sections)?,
        }
        self.print_dead_letters(&mut out)?;
        self.print_next(&mut out)
    }

    fn print_findings(&self, out: &mut impl Write, sections: &[Section]) -> Result<()> {
        for section in sections {
            writeln!(out, "\n{}", self.heading(&section.title))?;
            for line in &section.lines {
                writeln!(out, "  {line}")?;
            }
        }
        writeln!(out, "\n{}", self.heading("Records that were dropped"))?;
        self.print_dropped(out)
    }

    fn print_misses(&self, out: &mut impl Write) -> Result<()> {
        let found = &self.found;
        writeln!(out, "\n{}", self.heading("Not joined"))?;
        for (topic, n) in &found.alone {
            writeln!(out, "  {n:>6}  orders with an answer in {topic} only")?;
        }
        let within = found.within as f64 / 1e3;
        writeln!(out, "  {:>6}  orders with both answers, but more than {within} s apart", found.apart)?;
        self.print_dropped(out)
    }

    fn print_dropped(&self, out: &mut impl Write) -> Result<()> {
        for (step, what, code, n) in self.ledger.counts() {
            if what == CounterKind::Dropped {
                writeln!(out, "  {n:>6}  records dropped by step `{step}`: {code}")?;
            }
        }
        Ok(())
    }

    fn print_dead_letters(&self, out: &mut impl Write) -> Result<()> {
        let found = &self.found;
        let dead: u64 = found.dead.values().map(|(n, _)| n).sum();
        let title = match self.arguments.kind {
            DemoKind::Orders => {
                format!(
                    "Dead letters by reason: {dead} in the topic `{}`, which the pipeline file names as `dlq`",
                    found.dlq
                )
            }
            _ => format!("Dead letters by reason: {dead} in the topic `{}`", found.dlq),
        };
        writeln!(out, "\n{}", self.heading(&title))?;
        for (kind, (n, text)) in largest_first(&found.dead, |(n, _)| *n) {
            writeln!(out, "  {n:>6}  {kind}, such as: {text}")?;
        }
        Ok(())
    }

    /// Number of records that the pipeline has written to its output topics.
    fn results(&self) -> u64 {
        let own =
            |(topic, records): (&String, &u64)| records.saturating_sub(self.records.get(topic).copied().unwrap_or(0));
        self.found.written.iter().map(own).sum()
    }

    /// Prints the numbers of input records and of results.
    fn print_records(&self, out: &mut impl Write, results: u64) -> Result<()> {
        let outputs: Vec<_> = self.found.written.keys().map(|topic| format!("`{topic}`")).collect();
        writeln!(out, "\n{}", self.heading("Records by topic"))?;
        for (topic, n) in &self.records {
            writeln!(out, "  {n:>6}  in `{topic}`, from the sample")?;
        }
        let of = "results of the rule, one for each pair of answers; an answer that came twice makes two pairs";
        Ok(writeln!(out, "  {results:>6}  in {}, {of}", outputs.join(", "))?)
    }

    fn print_statuses(&self, out: &mut impl Write) -> Result<()> {
        let statuses = &self.found.statuses;
        let rows: u64 = statuses.values().sum();
        let title = format!("Orders by status: {rows} rows of the table `{}`", self.found.table);
        writeln!(out, "\n{}", self.heading(&title))?;
        for (status, n) in largest_first(statuses, |n| *n) {
            let shown = if status.is_empty() { "without" } else { status };
            writeln!(out, "  {n:>6}  {shown:9}  {}", why(status))?;
        }
        Ok(())
    }

    fn print_next(&self, out: &mut impl Write) -> Result<()> {
        let args::Demo { kind, data, kafka, .. } = self.arguments;
        let (database, folder) = (database_of(data), data.display());
        let next = match kafka {
            Some(bootstrap) => format!("Topics are on {bootstrap}, state lies in {}. Try next", database.display()),
            None => format!("Log and state lie in {}. Try next", database.display()),
        };
        let codec = if *kind == DemoKind::Orders { "i64" } else { "string" };
        let on_kafka = |bootstrap: &String| format!("--kafka {bootstrap} --key {codec}");
        let place = kafka.as_ref().map_or_else(|| format!("--data {folder}"), on_kafka);
        let again = kafka.as_ref().map_or_else(String::new, |bootstrap| format!(" --kafka {bootstrap}"));
        writeln!(out, "\n{}", self.heading(&next))?;
        writeln!(out, "  ./justw millrace topic read {} {place} --limit 3", self.found.dlq)?;
        match kind {
            DemoKind::Orders => {
                let key = self.found.example.unwrap_or(1);
                writeln!(out, "  ./justw millrace table get {} {key} --data {folder}", self.found.table)?;
            }
            _ => {
                let config = kind.another_config();
                let (pipeline, input) = (self.arguments.pipeline(), self.arguments.input());
                let (pipeline, input) = (pipeline.display(), input.display());
                writeln!(out, "  ./justw millrace replay {pipeline} --in {input} --set plugins.{config}")?;
            }
        }
        let plugin = kind.plugin();
        if kafka.is_none() && *kind != DemoKind::Orders {
            // The demo's app on Kafka has another name than its pipeline.
            let (pipeline, component) = (self.arguments.pipeline(), plugin.replace('-', "_"));
            let setting = kind.another_config().rsplit('.').next().unwrap_or_default();
            writeln!(
                out,
                "  ./justw millrace deploy {} --plugin {plugin}=pipelines/{component}.wasm --config {setting} --data {folder} \
                 --yes\n    swaps the rule's setting, also while `./justw millrace run {0} --data {folder}` runs",
                pipeline.display()
            )?;
        }
        writeln!(out, "  change the rule in plugins/{plugin}/src, and: ./justw demo {}{again}", kind.name())?;
        Ok(())
    }

    fn heading(&self, text: &str) -> String {
        let plain = !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain { text.to_owned() } else { format!("\u{1b}[1m{text}\u{1b}[0m") }
    }
}

/// Why an order of the sample has this status.
fn why(status: &str) -> &'static str {
    match status {
        "CONFIRMED" => "both answers were ACCEPT",
        "ROLLBACK" => "one answer was ACCEPT, the other REJECT",
        "REJECTED" => "both answers were REJECT",
        "NEW" => "placed, and no two answers were joined",
        _ => "one answer was neither ACCEPT nor REJECT: the rule left the order as stock had written it",
    }
}

fn largest_first<T>(counts: &BTreeMap<String, T>, count: impl Fn(&T) -> u64) -> Vec<(&String, &T)> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, entry)| (Reverse(count(entry)), name.as_str()));
    sorted
}

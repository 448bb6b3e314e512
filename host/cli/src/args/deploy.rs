//! `millrace deploy` and `millrace deployments`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use millrace_engine::canary::ALL;
use millrace_engine::shadow::Ignore;
use millrace_pipeline::duration;

use super::Pipeline;
use super::assignment::{plugin_file, topic_setting};
use super::bootstrap::bootstrap;

/// Where an app runs: on a cluster, or on a data folder.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct RunsAt {
    /// Data folder of an app without Kafka [default: .millrace/APP]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The app runs on this Kafka cluster: its bootstrap servers, such as `127.0.0.1:9092`
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
}

/// How a change of deployments is made.
#[derive(Clone, Debug, Args)]
pub struct Manner {
    /// A note for the list of deployments
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// Wait until every process of the app runs it, as the active version if it is a canary first. Exit code 3: some
    /// didn't within --timeout; 4: another deployment took its place, or it was aborted
    #[arg(long)]
    pub wait: bool,
    /// How many seconds to wait for processes
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
}

/// How a version is tried before it becomes active.
#[derive(Debug, Args)]
pub struct Trial {
    /// Try it as a shadow: it gets calls of the active version, with the same state, and its results are compared and
    /// thrown away. `millrace deployments show` prints the differences, and `promote` makes it active
    #[arg(long, conflicts_with = "canary")]
    pub shadow: bool,
    /// The share of keys whose calls the shadow gets
    #[arg(long, value_name = "PERCENT", default_value = "100%", requires = "shadow", value_parser = share)]
    pub share: u32,
    /// The share of each worker's time that the shadow may take; it gets fewer calls if they take longer
    #[arg(long, value_name = "PERCENT", default_value = "5%", requires = "shadow", value_parser = share)]
    pub budget: u32,
    /// Don't report differences like this, such as `value:/updatedAt` or `timestamp`; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "shadow", value_parser = pattern)]
    pub ignore: Vec<String>,
    /// Try it as a canary: it processes the records of this share of keys, then of the next, as long as it fails no more
    /// often and takes no longer than the active version; at 100% it is active. With fewer at the end, it stays there
    /// until it is promoted
    #[arg(long, value_name = "PERCENT,..", value_delimiter = ',', value_parser = share)]
    pub canary: Vec<u32>,
    /// How long each step of the canary lasts at least, such as `90s`, `10m` or `1h`
    #[arg(long, value_name = "TIME", default_value = "10m", requires = "canary", value_parser = millis)]
    pub each: i64,
    /// Results of both versions without which a step of the canary doesn't end
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "canary", value_parser = clap::value_parser!(u64).range(1..))]
    pub min_records: u64,
}

/// A percentage with at most two decimals, in hundredths of a percent.
fn share(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    let share = number.parse::<f64>().ok().map(|percent| (percent * 100.0).round());
    match share {
        Some(share) if share >= 1.0 && share <= f64::from(ALL) => Ok(share as u32),
        _ => Err("expected a percentage from 0.01% to 100%, such as 5%".into()),
    }
}

fn millis(text: &str) -> Result<i64, String> {
    let time = duration(text)?;
    i64::try_from(time.as_millis()).map_err(|_| "it is too long".to_owned())
}

fn pattern(text: &str) -> Result<String, String> {
    Ignore::parse(text).map(|_| text.to_owned())
}

/// `millrace deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// The pipeline, as the app runs it.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// The plugin, and the file of its new component; may be repeated
    #[arg(long = "plugin", value_name = "NAME=FILE", required = true, value_parser = plugin_file)]
    pub plugins: Vec<(String, PathBuf)>,
    /// Change a setting of the plugin's config; with several plugins, `NAME.KEY=VALUE`
    #[arg(long, value_name = "KEY=VALUE", value_parser = topic_setting)]
    pub config: Vec<(String, String)>,
    /// Where the app runs.
    #[command(flatten)]
    pub at: RunsAt,
    /// How it is tried first.
    #[command(flatten)]
    pub trial: Trial,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print what changes as JSON
    #[arg(long)]
    pub json: bool,
    /// Don't ask for confirmation
    #[arg(long)]
    pub yes: bool,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// `millrace deployments`.
#[derive(Debug, Args)]
pub struct Deployments {
    /// The command.
    #[command(subcommand)]
    pub command: DeploymentsCommand,
}

/// The commands of `millrace deployments`.
#[derive(Debug, Subcommand)]
pub enum DeploymentsCommand {
    /// List the deployments of an app, the oldest first, and how far its processes are
    List {
        /// The app.
        #[command(flatten)]
        app: App,
        /// Print JSON, a deployment per line
        #[arg(long)]
        json: bool,
    },
    /// Show a deployment, with the differences of a shadow or the results of a canary
    Show {
        /// The app.
        #[command(flatten)]
        app: App,
        /// Print JSON, with all of it
        #[arg(long)]
        json: bool,
        /// Its generation [default: that of the newest one]
        #[arg(long, value_name = "N")]
        generation: Option<u32>,
    },
    /// Go back to the version of a plugin that ran before: a new generation with its component and config
    Rollback {
        /// The app.
        #[command(flatten)]
        app: App,
        /// The plugin [default: the one that was deployed last]
        #[arg(long, value_name = "NAME")]
        plugin: Option<String>,
        /// Go to the version of this generation
        #[arg(long, value_name = "N")]
        to: Option<u32>,
        /// How it is done.
        #[command(flatten)]
        manner: Manner,
    },
    /// End a trial, or drop a staged version whose `deploy` was interrupted before it became active
    Abort {
        /// The app.
        #[command(flatten)]
        app: App,
        /// A note for the list of deployments
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Let a canary go on to its next step, or make a shadow active
    Promote {
        /// The app.
        #[command(flatten)]
        app: App,
        /// The plugin [default: the one on trial]
        #[arg(long, value_name = "NAME")]
        plugin: Option<String>,
        /// Make it active at once, without further steps
        #[arg(long)]
        full: bool,
        /// How it is done.
        #[command(flatten)]
        manner: Manner,
    },
    /// Let a canary stay in its step; it is still aborted if it fails too often
    Pause {
        /// The app.
        #[command(flatten)]
        app: App,
        /// The plugin [default: the one on trial]
        #[arg(long, value_name = "NAME")]
        plugin: Option<String>,
    },
    /// Let a paused canary go on: its step begins anew
    Resume {
        /// The app.
        #[command(flatten)]
        app: App,
        /// The plugin [default: the one on trial]
        #[arg(long, value_name = "NAME")]
        plugin: Option<String>,
    },
    /// Let the active version of a plugin write its newest state version
    ///
    /// Until then it writes the version that was written before, so that a rollback is possible. After it, the app can
    /// go back only to a version that reads the newest one.
    Finalize {
        /// The app.
        #[command(flatten)]
        app: App,
        /// The plugin [default: the one that was deployed last]
        #[arg(long, value_name = "NAME")]
        plugin: Option<String>,
        /// Also rewrite the entries of older state versions, while the app runs: later versions needn't read them.
        /// Without it, an entry is rewritten when a record changes it. With --wait, the command waits for the end
        #[arg(long)]
        rewrite: bool,
        /// Entries that each process rewrites in a second, at most [default: as before, or 10000]
        #[arg(long, value_name = "N", requires = "rewrite", value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
        /// How it is done.
        #[command(flatten)]
        manner: Manner,
    },
}

/// An app, by its pipeline and where it runs.
#[derive(Debug, Args)]
pub struct App {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Where the app runs.
    #[command(flatten)]
    pub at: RunsAt,
}

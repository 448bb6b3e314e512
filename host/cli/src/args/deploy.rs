//! `millrace deploy` and `millrace deployments`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
#[derive(Debug, Args)]
pub struct Manner {
    /// A note for the list of deployments
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// Wait until every process of the app runs it. Exit code 3: some didn't within --timeout; 4: another deployment
    /// took its place
    #[arg(long)]
    pub wait: bool,
    /// How many seconds to wait for processes
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
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
    /// Show a deployment as JSON
    Show {
        /// The app.
        #[command(flatten)]
        app: App,
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
    /// Drop a staged version: one whose `deploy` was interrupted before it became active
    Abort {
        /// The app.
        #[command(flatten)]
        app: App,
        /// A note for the list of deployments
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
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

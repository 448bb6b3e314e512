//! `millrace dlq`.

use clap::{Args, Subcommand};
use millrace_letters::LetterId;

use super::moment::{Moment, moment};
use super::{KeyForm, Place};

/// `millrace dlq`.
#[derive(Debug, Args)]
pub struct Dlq {
    /// The command.
    #[command(subcommand)]
    pub command: DlqCommand,
}

/// The commands of `millrace dlq`.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Count dead letters by failure, the most frequent first
    ///
    /// A group has the letters of one step and code whose texts differ in numbers, ids and quoted parts only. Its id is the
    /// same in every run.
    Groups {
        /// Which letters.
        #[command(flatten)]
        letters: Letters,
        /// Print JSON, a group per line
        #[arg(long)]
        json: bool,
    },
    /// Print dead letters, one a line, partition by partition
    List {
        /// Which letters.
        #[command(flatten)]
        letters: Letters,
        /// Print at most this many
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
        /// Print JSON, a letter per line, with all that is known of it
        #[arg(long)]
        json: bool,
    },
    /// Show a dead letter: the record, why it failed, and where it is from
    Show {
        /// Its id, `topic:partition:offset`, as `dlq list` prints it
        id: LetterId,
        /// Where it is.
        #[command(flatten)]
        place: Place,
        /// Codec of the keys [default: that of the topic, in a data folder]
        #[arg(long, value_name = "CODEC")]
        key: Option<KeyForm>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the original records of dead letters, as `topic write` and `replay` read them
    ///
    /// Headers about the failure are left out. Letters without their record are
    /// named, and the exit code is 1 then.
    Export {
        /// Which letters.
        #[command(flatten)]
        letters: Letters,
        /// Print at most this many
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
}

/// Dead letters.
#[derive(Debug, Args)]
pub struct Letters {
    /// Dead-letter topics, of Millrace or of Kafka Streams, Spring, Connect or share groups
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Where they are.
    #[command(flatten)]
    pub place: Place,
    /// Codec of the keys [default: that of the topic, in a data folder]
    #[arg(long, value_name = "CODEC")]
    pub key_codec: Option<KeyForm>,
    /// Only letters of this group, by its id
    #[arg(long, value_name = "ID")]
    pub group: Option<String>,
    /// Only letters of this step
    #[arg(long, value_name = "NAME")]
    pub step: Option<String>,
    /// Only letters with this code
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// Only letters with this key: text, or a number
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Only letters of a plugin whose digest begins like this
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    /// Only letters that failed at this time or later: `2026-11-28T12:00:00Z`, or how long ago, such as `90m`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Moment>,
    /// Only letters that failed before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Moment>,
}

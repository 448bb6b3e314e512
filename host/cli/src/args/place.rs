//! Where topics are: in a data folder, or on Kafka.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use millrace_engine::secret::Secret;

use super::assignment::{kafka_setting, setting_in_file, with_files};
use super::bootstrap::bootstrap;

/// Where an app keeps its log and state.
#[derive(Debug, Args)]
pub struct Data {
    /// Folder of the log and the state [default: the one that there is under .millrace]
    #[arg(long = "data", value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// A data folder or a cluster.
#[derive(Debug, Args)]
pub struct Place {
    /// The one or the other.
    #[command(flatten)]
    pub which: Which,
    /// A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`; may come several times
    // To require `kafka` alone would not do: clap waives that where `data` is given.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "data", requires = "kafka", value_parser = kafka_setting)]
    pub kafka_set: Vec<(String, Secret)>,
    /// The same with the value in a file, without the newline at its end, such as `sasl.password=FILE`
    #[arg(long, value_name = "KEY=FILE", conflicts_with = "data", requires = "kafka", value_parser = setting_in_file)]
    pub kafka_set_file: Vec<(String, PathBuf)>,
}

/// One of the two.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Which {
    /// Folder of the embedded log and its state [default, without --kafka: the one that there is under .millrace]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
}

/// What librdkafka needs to know to reach a cluster, for commands that may have a data folder as well.
#[derive(Debug, Args)]
pub struct KafkaSet {
    /// A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`; may come several times
    #[arg(long = "kafka-set", value_name = "KEY=VALUE", requires = "kafka", value_parser = kafka_setting)]
    pub settings: Vec<(String, Secret)>,
    /// The same with the value in a file, without the newline at its end, such as `sasl.password=FILE`
    #[arg(long = "kafka-set-file", value_name = "KEY=FILE", requires = "kafka", value_parser = setting_in_file)]
    pub files: Vec<(String, PathBuf)>,
}

impl KafkaSet {
    /// All of them.
    ///
    /// # Errors
    /// A file can't be read, or isn't text.
    pub fn all(&self) -> Result<Vec<(String, Secret)>> {
        with_files(&self.settings, &self.files)
    }
}

/// A place as commands take it.
#[derive(Clone, Debug)]
pub enum At<'a> {
    /// In this folder, or in the one that there is.
    Folder(Option<&'a Path>),
    /// On this cluster, reached with these settings.
    Kafka(&'a str, Vec<(String, Secret)>),
}

impl Place {
    /// Which of the two it is.
    ///
    /// # Errors
    /// A file with a setting can't be read, or isn't text.
    pub fn at(&self) -> Result<At<'_>> {
        Ok(match (&self.which.kafka, &self.which.data) {
            (Some(bootstrap), _) => At::Kafka(bootstrap, with_files(&self.kafka_set, &self.kafka_set_file)?),
            (None, data) => At::Folder(data.as_deref()),
        })
    }
}

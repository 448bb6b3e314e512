//! Where topics are: in a data folder or on Kafka.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use millrace_engine::secret::Secret;

use super::assignment::{kafka_setting, setting_in_file, with_files};
use super::bootstrap::bootstrap;

/// The data folder of an app.
#[derive(Debug, Args)]
pub struct Data {
    /// Data folder [default: the only one under .millrace]
    #[arg(long = "data", value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// A data folder or a cluster.
#[derive(Debug, Args)]
pub struct Place {
    /// Which one.
    #[command(flatten)]
    pub which: Which,
    /// A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`; may be repeated
    // `requires` alone doesn't do: clap waives it if `data` is given.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "data", requires = "kafka", value_parser = kafka_setting)]
    pub kafka_set: Vec<(String, Secret)>,
    /// The same with the value in a file, such as `sasl.password=FILE`; a newline at its end is dropped
    #[arg(long, value_name = "KEY=FILE", conflicts_with = "data", requires = "kafka", value_parser = setting_in_file)]
    pub kafka_set_file: Vec<(String, PathBuf)>,
}

/// A data folder or a cluster: at most one of these options.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Which {
    /// Data folder [default, without --kafka: the only one under .millrace]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
}

/// Settings of librdkafka, for commands that have --kafka and may have --data as well.
#[derive(Debug, Args)]
pub struct KafkaSet {
    /// A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`; may be repeated
    #[arg(long = "kafka-set", value_name = "KEY=VALUE", requires = "kafka", value_parser = kafka_setting)]
    pub settings: Vec<(String, Secret)>,
    /// The same with the value in a file, such as `sasl.password=FILE`; a newline at its end is dropped
    #[arg(long = "kafka-set-file", value_name = "KEY=FILE", requires = "kafka", value_parser = setting_in_file)]
    pub files: Vec<(String, PathBuf)>,
}

impl KafkaSet {
    /// All settings, those from files included.
    ///
    /// # Errors
    /// A file can't be read, or isn't text.
    pub fn all(&self) -> Result<Vec<(String, Secret)>> {
        with_files(&self.settings, &self.files)
    }
}

/// A place after the arguments are resolved.
#[derive(Clone, Debug)]
pub enum At<'a> {
    /// In this folder, or in the only one under .millrace.
    Folder(Option<&'a Path>),
    /// On this cluster, with these settings of librdkafka.
    Kafka(&'a str, Vec<(String, Secret)>),
}

impl Place {
    /// Resolves the arguments.
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

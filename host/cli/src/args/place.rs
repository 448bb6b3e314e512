//! Where topics are: in a data folder, or on Kafka.

use std::path::{Path, PathBuf};

use clap::Args;

use super::key_value;

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
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "data", requires = "kafka", value_parser = key_value)]
    pub kafka_set: Vec<(String, String)>,
}

/// One of the two.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Which {
    /// Folder of the embedded log and its state [default, without --kafka: the one that there is under .millrace]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`
    #[arg(long, value_name = "BOOTSTRAP")]
    pub kafka: Option<String>,
}

/// What librdkafka needs to know to reach a cluster, for commands that may have a data folder as well.
#[derive(Debug, Args)]
pub struct KafkaSet {
    /// A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`; may come several times
    #[arg(long = "kafka-set", value_name = "KEY=VALUE", requires = "kafka", value_parser = key_value)]
    pub settings: Vec<(String, String)>,
}

/// A place as commands take it.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// In this folder, or in the one that there is.
    Folder(Option<&'a Path>),
    /// On this cluster, reached with these settings.
    Kafka(&'a str, &'a [(String, String)]),
}

impl Place {
    /// Which of the two it is.
    pub fn at(&self) -> At<'_> {
        match (&self.which.kafka, &self.which.data) {
            (Some(bootstrap), _) => At::Kafka(bootstrap, &self.kafka_set),
            (None, data) => At::Folder(data.as_deref()),
        }
    }
}

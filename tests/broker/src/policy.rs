//! A policy for topics that are made, as hosted clusters have one.
//!
//! Brokers load it as a class. It is compiled beforehand, because the Java that Kafka runs on needn't have a compiler:
//! `javac --release 17 -g:none -cp "$HOME/.cache/millrace/kafka-4.3.0/libs/*" RecordCap.java`.

use std::fs;
use std::path::Path;

use crate::error::Error;

const CLASS: &[u8] = include_bytes!("policy/RecordCap.class");

/// What the broker is told.
pub(crate) fn settings() -> Vec<(String, String)> {
    vec![("create.topic.policy.class.name".into(), "RecordCap".into())]
}

/// Puts the class into a node's folder, where Java looks for classes that aren't Kafka's.
pub(crate) fn install(folder: &Path) -> Result<(), Error> {
    let file = folder.join("RecordCap.class");
    fs::write(&file, CLASS).map_err(Error::io(file.display().to_string()))
}

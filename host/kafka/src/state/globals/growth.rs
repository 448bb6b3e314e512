//! Noticing that the topic of a global table has more partitions than are read.
//!
//! No rebalance shows it: members don't subscribe to these topics. The process ends, as it does where its inputs grow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Table;
use crate::cluster::Cluster;
use crate::error::Error;

/// How often the cluster is asked.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Asks for the numbers of partitions, on a thread of its own: a broker that doesn't answer must not hold up rows.
#[derive(Default)]
pub(super) struct Growth {
    asked: Option<Instant>,
    thread: Option<JoinHandle<BTreeMap<String, u32>>>,
}

impl Growth {
    /// Looks at the last answer, and asks again if it is time.
    ///
    /// # Errors
    /// [`Error::Setup`]: a topic has grown.
    pub(super) fn look(&mut self, cluster: &Arc<Cluster>, tables: &[Table]) -> Result<(), Error> {
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            // One that has panicked has no answer.
            let counts = thread.join().unwrap_or_default();
            return tables.iter().try_for_each(|table| check(table, counts.get(&table.topic).copied()));
        }
        if self.thread.is_none() && self.asked.is_none_or(|asked| asked.elapsed() >= CHECK_INTERVAL) {
            self.asked = Some(Instant::now());
            let topics: Vec<_> = tables.iter().map(|table| table.topic.clone()).collect();
            let cluster = Arc::clone(cluster);
            self.thread = Some(std::thread::spawn(move || ask(&cluster, topics)));
        }
        Ok(())
    }
}

/// The numbers of partitions that the cluster knows. After an error it is asked again anyway.
fn ask(cluster: &Cluster, topics: Vec<String>) -> BTreeMap<String, u32> {
    let count = |topic: String| match cluster.partitions(&topic) {
        Ok(count) => Some((topic, count?)),
        Err(error) => {
            tracing::debug!(topic, %error, "its number of partitions can't be looked up");
            None
        }
    };
    topics.into_iter().filter_map(count).collect()
}

/// A broker that is behind knows of fewer.
fn check(table: &Table, count: Option<u32>) -> Result<(), Error> {
    let known = table.partitions.len();
    match count {
        Some(count) if count as usize > known => Err(Error::Changed(format!(
            "topic `{}` of the global table `{}` has {count} partitions, and had {known} when the app started: rows in \
             the new ones aren't read. Start the app again, and the table is read from the start",
            table.topic, table.table.name
        ))),
        _ => Ok(()),
    }
}

//! Reading an internal topic whole.

use std::time::{Duration, Instant};

use rdkafka::{Offset, TopicPartitionList};

use crate::client::app::hanging;
use crate::client::fetch_failure::FetchFailure;
use crate::client::native::{Fetched, Fetcher};
use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::error::codes::remedy;

/// How often it is logged that the topic can't be read to its end.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait for records at a time.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// Why no records come where there is no error.
const UNDECIDED: &str = "its leader doesn't answer, or a transaction there is neither committed nor aborted yet";

/// The same, with the way to mend it.
pub(crate) fn undecided(settings: &ClientSettings, topic: &str) -> String {
    format!("{UNDECIDED}; {}", hanging(settings.app().bootstrap, topic))
}

/// A partition that isn't read to its end.
struct Left {
    partition: u32,
    /// The high watermark when reading began.
    until: i64,
}

/// Takes the partition, the key and the value of a record.
pub(crate) type Each<'e> = dyn FnMut(u32, &[u8], Option<&[u8]>) + 'e;

/// Gives `each` the partition, the key and the value of every committed record of a topic that was there when it began.
/// `None` if `go_on` turns false before it is done. A topic that isn't there has no records.
///
/// # Errors
/// [`Error::Setup`]: the topic may not be read. Otherwise no broker answers.
pub(crate) fn read(
    settings: &ClientSettings,
    cluster: &Cluster,
    topic: &str,
    go_on: &dyn Fn() -> bool,
    each: &mut Each<'_>,
) -> Result<Option<()>, Error> {
    let (mut list, mut left) = (TopicPartitionList::new(), Vec::new());
    for partition in 0..cluster.partitions(topic)?.unwrap_or(0) {
        let (low, until) = cluster.range(topic, partition)?;
        if low < until {
            list.add_partition_offset(topic, partition.cast_signed(), Offset::Offset(low))?;
            left.push(Left { partition, until });
        }
    }
    if left.is_empty() {
        return Ok(Some(()));
    }
    let mut fetcher = Fetcher::new(&settings.fetcher("whole"))?;
    fetcher.assign(&list)?;
    let (mut refused, mut trouble, mut logged) = (None, None, Instant::now());
    while let Some(Left { partition, until }) = left.first().filter(|_| go_on()) {
        if logged.elapsed() > LOG_INTERVAL {
            logged = Instant::now();
            let reason = trouble.clone().unwrap_or_else(|| undecided(settings, topic));
            tracing::warn!(topic, partition, until, reason, "waiting: the topic can't be read to its end");
        }
        if let Some(text) = refused {
            return Err(Error::Setup(format!("topic `{topic}` can't be read: {text}")));
        }
        fetcher.poll(POLL_WAIT, |_, partition, fetched| match fetched {
            Fetched::Record(message) => {
                each(partition.cast_unsigned(), message.key().unwrap_or_default(), message.value());
            }
            Fetched::End(offset) => {
                left.retain(|left| left.partition != partition.cast_unsigned() || offset < left.until);
            }
            Fetched::Failed(code, text) if FetchFailure::of(code) == FetchFailure::Forbidden => refused = Some(text),
            Fetched::Failed(code, text) => {
                tracing::debug!(topic, %code, "{text}");
                trouble = Some(format!("{text}{}", remedy(code)));
            }
        });
    }
    Ok(left.is_empty().then_some(()))
}

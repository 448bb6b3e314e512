//! The control topic, `<app>-control`: which deployment of each plugin is active, and which topics are the app's own.
//! Every instance reads it when it starts; who changes it does so in a transaction under one id for the whole app, so
//! that two who start at once don't both make the next generation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_engine::deployment::{self, Candidate, Record};
use millrace_engine::record::Headers;
use millrace_engine::task::Deployed;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::{Cluster, REQUEST};
use crate::error::{Error, Reaction};
use crate::internal_topics;
use crate::native::{self, Fetched, Fetcher};
use crate::positions::wall_clock;
use crate::producer::Transactions;
use crate::settings::ClientSettings;

/// Key of the list of internal topics.
const TOPICS: &str = "topics";

/// How often to try again when another instance was quicker.
const ATTEMPTS: usize = 20;

const WAIT: Duration = Duration::from_millis(50);

/// The entries of a control topic.
type Entries = BTreeMap<String, Vec<u8>>;

/// Makes the candidates the active deployments, and notes the app's internal topics.
///
/// # Errors
/// [`Error::Setup`]: a candidate can't read the state that is there.
pub(crate) fn deploy(
    settings: &ClientSettings,
    cluster: &Cluster,
    app: &str,
    candidates: &[Candidate],
    topics: &[String],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Arc<[Deployed]>>, Error> {
    let control = internal_topics::control(app);
    for attempt in 1.. {
        match try_to_deploy(settings, cluster, &control, candidates, topics, go_on) {
            Ok(deployed) => return Ok(deployed),
            // Another instance has taken the id while this one was between two calls.
            Err(Reaction::Stop(Error::TakenOver { .. })) if attempt < ATTEMPTS && go_on() => {
                std::thread::park_timeout(WAIT);
            }
            // Brokers are away, or don't know of the topic yet.
            Err(Reaction::Abort(reason) | Reaction::Rebuild(reason)) if go_on() => {
                if attempt % ATTEMPTS == 0 {
                    tracing::warn!(topic = control, reason, "waiting");
                }
                std::thread::park_timeout(WAIT);
            }
            Err(Reaction::Abort(_) | Reaction::Rebuild(_) | Reaction::CutOff(_)) => return Ok(None),
            Err(Reaction::Refused(refused)) => return Err(refused.of_own_topic(&control)),
            Err(Reaction::Fail(error) | Reaction::Stop(error)) => return Err(error),
        }
    }
    Ok(None)
}

fn try_to_deploy(
    settings: &ClientSettings,
    cluster: &Cluster,
    control: &str,
    candidates: &[Candidate],
    topics: &[String],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Arc<[Deployed]>>, Reaction> {
    let Some(mut producer) = Transactions::open(settings, control, std::iter::once(control), Arc::default(), go_on)?
    else {
        return Ok(None);
    };
    // Whoever had the id before can't write any more: what is there now stays.
    let Some(entries) = read(settings, cluster, control, go_on)? else { return Ok(None) };
    let (mut changes, mut deployed) = (Entries::new(), Vec::new());
    for candidate in candidates {
        let key = format!("deployment/{}", candidate.name);
        let before = entries.get(&key).map(|bytes| serde_json::from_slice::<Record>(bytes)).transpose();
        let before = before.map_err(|error| Error::Setup(format!("`{control}`: `{key}` can't be read: {error}")))?;
        let record = deployment::next(candidate, before.as_ref()).map_err(|error| Error::Setup(error.to_string()))?;
        deployed.push(record.deployed(candidate.id));
        if before.as_ref() != Some(&record) {
            changes.insert(key, serde_json::to_vec(&record).unwrap_or_default());
        }
    }
    let known = known_topics(&entries);
    let all: BTreeSet<String> = known.iter().chain(topics).cloned().collect();
    if all != known {
        changes.insert(TOPICS.into(), serde_json::to_vec(&all).unwrap_or_default());
    }
    write(&mut producer, &changes)?;
    Ok(Some(deployed.into()))
}

/// Names of the internal topics that an app has ever made; none if it never ran.
///
/// # Errors
/// The control topic can't be read.
pub(crate) fn topics(settings: &ClientSettings, cluster: &Cluster, app: &str) -> Result<BTreeSet<String>, Error> {
    let control = internal_topics::control(app);
    if cluster.partitions(&control)?.is_none() {
        return Ok(BTreeSet::new());
    }
    let limit = Instant::now() + REQUEST;
    let entries = read(settings, cluster, &control, &|| Instant::now() < limit)?;
    let entries = entries.ok_or_else(|| Error::Setup(format!("topic `{control}` can't be read: no broker answers")))?;
    Ok(known_topics(&entries).into_iter().chain([control]).collect())
}

fn known_topics(entries: &Entries) -> BTreeSet<String> {
    entries.get(TOPICS).and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
}

/// The last value of each key, as far as it is committed when it begins.
fn read(
    settings: &ClientSettings,
    cluster: &Cluster,
    control: &str,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Entries>, Error> {
    let (low, high) = cluster.range(control, 0)?;
    let mut entries = Entries::new();
    if low == high {
        return Ok(Some(entries));
    }
    let mut fetcher = Fetcher::new(&settings.fetcher("control"))?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(control, 0, Offset::Offset(low))?;
    fetcher.assign(&list)?;
    let (mut done, mut refused) = (false, None);
    while !done && go_on() {
        if let Some(text) = refused {
            return Err(Error::Setup(format!("topic `{control}` can't be read: {text}")));
        }
        fetcher.poll(WAIT, |_, _, fetched| match fetched {
            Fetched::Record(message) => {
                let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                match message.value() {
                    Some(value) => drop(entries.insert(key, value.to_vec())),
                    None => drop(entries.remove(&key)),
                }
            }
            Fetched::End(offset) => done = offset >= high,
            Fetched::Failed(RDKafkaErrorCode::TopicAuthorizationFailed, text) => refused = Some(text),
            Fetched::Failed(code, text) => tracing::debug!(control, %code, "{text}"),
        });
    }
    Ok(done.then_some(entries))
}

fn write(producer: &mut Transactions, changes: &Entries) -> Result<(), Reaction> {
    if changes.is_empty() {
        return Ok(());
    }
    for (key, value) in changes {
        let (key, value) = (Some(key.as_bytes()), Some(value.as_slice()));
        let record = native::Record { partition: 0, key, value, timestamp: wall_clock(), headers: &Headers::EMPTY };
        producer.send(0, &record, None)?;
    }
    producer.commit_records()
}

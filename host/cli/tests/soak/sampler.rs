//! Samples the app every few seconds, and prints a line each minute.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::error::KafkaResult;

use crate::feed::Feed;
use crate::findings::Findings;
use crate::fleet::Ids;
use crate::harness::records::Kafka;
use crate::logs::Logs;
use crate::memory::{Memory, resident};
use crate::names::{APP, full};
use crate::progress::{Position, Positions, Progress};
use crate::timeline::Timeline;

const EVERY: Duration = Duration::from_secs(3);

const LINE_EVERY: Duration = Duration::from_secs(60);

/// What a sampler samples.
#[derive(Clone, Copy)]
pub struct Watched<'w> {
    pub bootstrap: &'w str,
    pub folder: &'w Path,
    pub feed: &'w Feed,
    pub ids: &'w Ids,
    pub timeline: &'w Timeline,
    pub findings: &'w Findings,
}

/// The samples.
#[derive(Default)]
pub struct Seen {
    pub progress: Progress,
    pub memory: Memory,
    pub most_lag: i64,
}

/// Samples until it is told to stop.
pub fn sample(watched: Watched<'_>, stop: &AtomicBool) -> Seen {
    let kafka = Kafka::new(watched.bootstrap, APP);
    let mut file = File::create(watched.folder.join("samples.jsonl")).unwrap();
    let (mut seen, mut next, mut line) = (Seen::default(), Duration::ZERO, LINE_EVERY);
    let mut logs = Logs::default();
    while !stop.load(Ordering::Relaxed) {
        let now = watched.timeline.now();
        if now < next {
            std::thread::park_timeout(Duration::from_millis(100));
            continue;
        }
        next = now + EVERY;
        // While brokers are away, nothing is known.
        let positions = positions(&kafka).unwrap_or_default();
        let members = kafka.members(APP).unwrap_or(0);
        let rss = watched.ids.get().map(|id| id.and_then(resident));
        seen.memory.see(now, watched.ids.get(), rss);
        let lag = positions.values().map(Position::lag).sum::<i64>();
        seen.most_lag = seen.most_lag.max(lag);
        logs.read(now, watched.folder);
        logs.running = watched.ids.logs();
        look_at_progress(&mut seen.progress, &watched, (now, &positions), &logs);
        let places: Vec<_> = positions.iter().map(|(place, at)| (&place.0, place.1, at.committed, at.end)).collect();
        let sample = serde_json::json!({
            "seconds": now.as_secs_f64(), "sent": watched.feed.sent(), "lag": lag, "members": members, "rss": rss,
            "positions": places,
        });
        writeln!(file, "{sample}").unwrap();
        if now >= line {
            line += LINE_EVERY;
            let committed: i64 = positions.values().map(|at| at.committed.max(0)).sum();
            let known = !positions.is_empty();
            let told = |number: i64| if known { number.to_string() } else { "?".into() };
            println!(
                "{:4.0} min  sent {:7}  committed {:>8}  lag {:>6}  faults {:4}  members {members}  standing {}  RSS {} MiB",
                now.as_secs_f64() / 60.0,
                watched.feed.sent(),
                told(committed),
                told(lag),
                watched.timeline.faults(),
                seen.progress.standing(now),
                rss.map(|rss| rss.map_or("-".into(), |rss| (rss >> 20).to_string())).join("+"),
            );
        }
    }
    seen
}

fn look_at_progress(progress: &mut Progress, watched: &Watched<'_>, (now, at): (Duration, &Positions), logs: &Logs) {
    let excused = watched.timeline.excused();
    let until = excused.as_ref().map_or(Duration::ZERO, |(until, _)| *until);
    for standing in progress.see(now, until, at, logs) {
        let (topic, partition) = &standing.place;
        let last = excused.as_ref().map_or("none", |(_, what)| what.as_str());
        watched.findings.add(
            "6 progress",
            format!(
                "`{topic}` partition {partition} has stood at offset {} since second {}, its end is {}, and no log says why; \
                 last fault: {last}",
                standing.position.committed,
                standing.since.as_secs(),
                standing.position.end,
            ),
        );
    }
}

/// Positions of all partitions that the app reads: of external topics, of its table's topic and of repartition topics.
pub fn positions(kafka: &Kafka) -> KafkaResult<Positions> {
    let read = ["payments", "stock", "readings", "clicks-a", "clicks-b", "events", "resolved"].map(full);
    let mut found = BTreeMap::new();
    for (topic, partitions) in kafka.topics(&full(""))? {
        if read.contains(&topic) || topic.ends_with("-repartition") {
            let ends = kafka.ends(&topic, partitions)?;
            let committed = kafka.positions(&topic, partitions)?;
            for (partition, (end, committed)) in ends.iter().zip(committed).enumerate() {
                let position = Position { committed, end: end.stable };
                found.insert((topic.clone(), partition as i32), position);
            }
        }
    }
    Ok(found)
}

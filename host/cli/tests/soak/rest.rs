//! Oracle 5: in the end all is processed, and no transaction is open.

use std::time::{Duration, Instant};

use crate::harness::records::Kafka;
use crate::names::full;
use crate::progress::Position;
use crate::sampler::positions;

/// How long the last process may take to work off what is left, as long as it gets on.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until all is processed and committed; says what is left when nothing moves any more.
pub fn wait_until_caught_up(kafka: &Kafka) -> Vec<String> {
    let (mut least, mut moved) = (i64::MAX, Instant::now());
    loop {
        let Ok(positions) = positions(kafka) else { continue };
        let lag: i64 = positions.values().map(Position::lag).sum();
        if lag == 0 && !positions.is_empty() {
            return Vec::new();
        }
        if lag < least {
            (least, moved) = (lag, Instant::now());
        }
        if moved.elapsed() > PATIENCE {
            let left = positions.iter().filter(|(_, at)| at.lag() > 0);
            return left
                .map(|((topic, partition), at)| {
                    format!(
                        "`{topic}` partition {partition} is processed up to {}, and its end is {}",
                        at.committed, at.end
                    )
                })
                .collect();
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// Partitions whose last stable offset isn't their end: somebody has left a transaction open.
pub fn open_transactions(kafka: &Kafka) -> Vec<String> {
    let start = Instant::now();
    loop {
        let open = look(kafka);
        if open.is_empty() || start.elapsed() > PATIENCE {
            return open;
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

fn look(kafka: &Kafka) -> Vec<String> {
    let Ok(topics) = kafka.topics(&full("")) else { return vec!["the cluster doesn't answer".into()] };
    let mut open = Vec::new();
    for (topic, partitions) in topics {
        match kafka.ends(&topic, partitions) {
            Err(error) => open.push(format!("`{topic}`: {error}")),
            Ok(ends) => open.extend(ends.iter().enumerate().filter(|(_, end)| end.stable != end.high).map(
                |(partition, end)| {
                    format!(
                        "`{topic}` partition {partition}: stable up to offset {}, its end is {}",
                        end.stable, end.high
                    )
                },
            )),
        }
    }
    open
}

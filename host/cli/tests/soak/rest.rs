//! Oracle 5: in the end there is no lag, and no transaction is open.

use std::time::{Duration, Instant};

use crate::harness::records::Kafka;
use crate::names::full;
use crate::progress::{Backlog, PATIENCE};
use crate::sampler::positions;

/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(200);

/// Waits until all input is processed and committed. Without progress, returns what is left.
pub fn wait_until_caught_up(kafka: &Kafka) -> Vec<String> {
    let (start, mut backlog) = (Instant::now(), Backlog::default());
    loop {
        let positions = positions(kafka).map_err(|error| error.to_string());
        if let Some(left) = backlog.see(start.elapsed(), positions) {
            return left;
        }
        std::thread::park_timeout(PAUSE);
    }
}

/// Partitions with an open transaction: their last stable offset isn't the high watermark.
pub fn open_transactions(kafka: &Kafka) -> Vec<String> {
    let start = Instant::now();
    loop {
        let open = look(kafka);
        if open.is_empty() || start.elapsed() > PATIENCE {
            return open;
        }
        std::thread::park_timeout(PAUSE);
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

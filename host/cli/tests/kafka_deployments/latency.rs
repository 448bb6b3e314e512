//! How long a canary that fails goes on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rdkafka::message::Message;

use crate::App;
use crate::load::{TICK, reader};

/// When the results and letters of a canary came. Its results call it `bad`, and all letters are its.
#[derive(Default)]
pub struct Latency(Mutex<Vec<Instant>>);

impl Latency {
    /// Reads committed results and letters until it is told to stop.
    pub fn watch(&self, app: &App, partitions: u32, stop: &AtomicBool) {
        let (output, letters) = (format!("{}-out", app.name), format!("{}-dlq", app.name));
        let consumer = reader(&app.bootstrap, &[(&output, partitions), (&letters, partitions)]);
        while !stop.load(Ordering::Relaxed) {
            let Some(Ok(message)) = consumer.poll(TICK) else { continue };
            let by_canary = message.payload().is_some_and(|value| value.windows(5).any(|part| part == b"\"bad\""));
            if by_canary || message.topic() == letters {
                self.0.lock().unwrap().push(Instant::now());
            }
        }
    }

    /// The time from the first of them, and from the one with this number, to the last, for people.
    pub fn said(&self, number: usize) -> String {
        let all = self.0.lock().unwrap();
        let (first, enough, last) = (all[0], all[number.min(all.len() - 1)], *all.last().unwrap());
        format!(
            "the last result of the canary came {:?} after its first, and {:?} after enough of them",
            last - first,
            last - enough
        )
    }
}

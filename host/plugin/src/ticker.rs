//! The clock of deadlines: a thread that advances the engines' epochs, and counts these ticks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use wasmtime::Engine;

use crate::limits::TICK;

/// The number of ticks so far. Epochs can't be read, and reading a clock before each record is too expensive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    /// The number of ticks so far.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ticks until it is dropped.
pub(crate) struct Ticker {
    ticks: Ticks,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engines: Vec<Engine>) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let ticks = Ticks::default();
        let counted = ticks.clone();
        let thread = std::thread::Builder::new().name("millrace-epoch".into()).spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engines.iter().for_each(Engine::increment_epoch);
                counted.0.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        Ok(Self { ticks, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn ticks(&self) -> &Ticks {
        &self.ticks
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // The thread only waits and counts: its result says nothing.
            let _ = thread.join();
        }
    }
}

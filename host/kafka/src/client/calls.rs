//! Calls into librdkafka that may not come back. Some of these have no end of their own: while a coordinator moves,
//! `send_offsets_to_transaction` has been seen to wait for ever, past the timeout it was given.
//!
//! So they are made on a thread that has nothing but the client, and the worker gives up waiting after a time. The
//! worker ends then, and another one takes its place. Only that thread with that client stays behind: neither tasks nor
//! their state nor guests. The call may still return at any time, and has no effect then:
//!
//! - on the cluster, the successor takes over the transactional id before it reads anything. That ends the effect of the
//!   call, or waits until it is done;
//! - here, a call borrows nothing, and its answer is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, Reaction};

/// How long a call may take that has been given 5 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The same while the process stops: it ends before it would be killed.
pub(crate) const CALL_TIMEOUT_AT_STOP: Duration = Duration::from_secs(10);

/// How often to check whether the process stops.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A client, and the thread that makes calls to it.
pub(crate) struct Calls<C> {
    client: Arc<C>,
    /// None once the thread is given up, or ends.
    orders: Option<Sender<Order<C>>>,
    thread: Option<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
    /// While the process runs, and while it stops.
    patience: (Duration, Duration),
}

type Order<C> = Box<dyn FnOnce(&C) + Send>;

impl<C: Send + Sync + 'static> Calls<C> {
    /// Starts the thread. `stopping` is set when the process stops.
    pub(crate) fn new(client: C, stopping: Arc<AtomicBool>) -> Result<Self, Error> {
        let client = Arc::new(client);
        let (orders, heard) = channel::<Order<C>>();
        let own = Arc::clone(&client);
        let run = move || heard.into_iter().for_each(|order| order(&own));
        let thread = thread::Builder::new().name("kafka-calls".into()).spawn(run);
        let thread = thread.map_err(|error| Error::Thread(format!("a thread can't be started: {error}")))?;
        let patience = (CALL_TIMEOUT, CALL_TIMEOUT_AT_STOP);
        Ok(Self { client, orders: Some(orders), thread: Some(thread), stopping, patience })
    }

    /// The client, for calls that come back.
    pub(crate) fn client(&self) -> &C {
        &self.client
    }

    /// Makes a call.
    ///
    /// # Errors
    /// It has not come back, and is given up: so is the client.
    pub(crate) fn call<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&C) -> T + Send + 'static,
    ) -> Result<T, Reaction> {
        let Some(orders) = &self.orders else { return Err(Reaction::Fail(Error::Hangs)) };
        let (answer, heard) = channel();
        drop(orders.send(Box::new(move |client| drop(answer.send(call(client))))));
        // Counted and not measured: the time in which the process was halted doesn't count.
        let mut waited = Duration::ZERO;
        while waited <= self.patience() {
            match heard.recv_timeout(STOP_CHECK_INTERVAL) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => waited += STOP_CHECK_INTERVAL,
                Err(RecvTimeoutError::Disconnected) => {
                    let text = "the thread that makes calls to Kafka has panicked: a bug";
                    return Err(Reaction::Fail(Error::Thread(text.into())));
                }
            }
        }
        self.orders = None;
        self.thread = None;
        Err(Reaction::Fail(Error::Hangs))
    }

    fn patience(&self) -> Duration {
        let (running, stopping) = self.patience;
        if self.stopping.load(Ordering::SeqCst) { stopping } else { running }
    }
}

impl<C> Drop for Calls<C> {
    /// Ends the thread, unless it hangs.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::Receiver;

    use super::*;

    /// A client whose call waits for a word.
    type Waits = Mutex<Receiver<()>>;

    fn calls(stopping: bool) -> (Calls<Waits>, Sender<()>) {
        let (word, heard) = channel();
        (Calls::new(Mutex::new(heard), Arc::new(AtomicBool::new(stopping))).unwrap(), word)
    }

    fn wait(client: &Waits) -> bool {
        client.lock().unwrap().recv().is_ok()
    }

    #[test]
    fn a_call_gives_its_answer_and_the_client_ends_with_its_owner() {
        let (mut calls, word) = calls(false);
        word.send(()).unwrap();
        assert_eq!(calls.call(wait).ok(), Some(true));
        let client = Arc::downgrade(&calls.client);
        drop(calls);
        assert!(client.upgrade().is_none());
    }

    #[test]
    fn a_call_that_does_not_come_back_is_given_up_and_keeps_its_client_until_it_ends() {
        for (stopping, patience) in [(false, (Duration::ZERO, CALL_TIMEOUT)), (true, (CALL_TIMEOUT, Duration::ZERO))] {
            let (mut calls, word) = calls(stopping);
            calls.patience = patience;
            assert!(matches!(calls.call(wait), Err(Reaction::Fail(Error::Hangs))));
            assert!(calls.call(wait).is_err(), "nor does another one");
            let client = Arc::downgrade(&calls.client);
            drop(calls);
            assert!(client.upgrade().is_some(), "the call is still under way");
            word.send(()).unwrap();
            while client.upgrade().is_some() {
                thread::yield_now();
            }
        }
    }
}

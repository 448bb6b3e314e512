//! Notices that a topic that is being read was deleted and made anew: librdkafka goes on at the same offset of the new
//! topic, and reports it nowhere. Before it asks for records of the new one it logs, at its debug level, that the
//! topic's id has changed (`rd_kafka_topic_metadata_update` in its rdkafka_topic.c, 2.12.1), and that line is read
//! here.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ptr::{self, NonNull};

use rdkafka::bindings as c;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::topics::differ;
use crate::client::context;

/// The client's own log, and the ids that topics are to have.
pub(super) struct TopicWatch {
    queue: NonNull<c::rd_kafka_queue_t>,
    expected: BTreeMap<String, String>,
    changed: Option<String>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for TopicWatch {}

/// Has a new client log the lines that the watch reads. They come with the metadata of topics: every few minutes, and
/// after errors.
pub(super) fn configure(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    let debug = config.get("debug").filter(|own| !own.is_empty()).map(|own| format!("{own},metadata"));
    config.set("debug", debug.as_deref().unwrap_or("metadata"));
    config.set_log_level(RDKafkaLogLevel::Debug);
    config
}

impl TopicWatch {
    /// Takes the log of a client over.
    ///
    /// # Safety
    /// The client is a live one, and outlives the watch.
    pub(super) unsafe fn new(client: *mut c::rd_kafka_t) -> Option<Self> {
        // SAFETY: the client lives; the queue is destroyed once, in `drop`.
        let queue = unsafe {
            let queue = NonNull::new(c::rd_kafka_queue_new(client))?;
            c::rd_kafka_set_log_queue(client, queue.as_ptr());
            queue
        };
        Some(Self { queue, expected: BTreeMap::new(), changed: None })
    }

    /// From now on, topics are to have these ids.
    pub(super) fn expect(&mut self, ids: BTreeMap<String, String>) {
        self.expected = ids;
        self.changed = None;
    }

    /// A topic that has another id than the expected one.
    pub(super) fn changed(&self) -> Option<&str> {
        self.changed.as_deref()
    }

    /// Reads the new lines of the log. To be called between receiving records and handing them over.
    pub(super) fn look(&mut self) {
        // SAFETY: the queue lives.
        unsafe { self.drain(self.queue) }
    }

    /// Reads lines from before the watch began, in the client's own queue, from where they would be printed past the
    /// host's log.
    ///
    /// # Safety
    /// It is a live queue of the client, and nothing is assigned yet: there are no records in it.
    pub(super) unsafe fn drain(&mut self, queue: NonNull<c::rd_kafka_queue_t>) {
        loop {
            // SAFETY: the queue lives. An event is destroyed once, after the last use of what it owns.
            unsafe {
                let event = c::rd_kafka_queue_poll(queue.as_ptr(), 0);
                if event.is_null() {
                    return;
                }
                let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
                if c::rd_kafka_event_log(event, &mut facility, &mut text, &mut level) == 0 {
                    let [facility, text] = [facility, text].map(|text| CStr::from_ptr(text).to_string_lossy());
                    self.read(&text);
                    context::log(level_of(level), &facility, text.trim());
                }
                c::rd_kafka_event_destroy(event);
            }
        }
    }

    fn read(&mut self, text: &str) {
        if let Some(topic) = made_anew(&self.expected, text) {
            self.changed = Some(topic.to_owned());
        }
    }
}

impl Drop for TopicWatch {
    fn drop(&mut self) {
        // SAFETY: the queue is ours and is used no more.
        unsafe { c::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// The topic that has another id than expected, according to a line.
fn made_anew<'t>(expected: &BTreeMap<String, String>, text: &'t str) -> Option<&'t str> {
    let (topic, id) = change(text)?;
    expected.get(topic).is_some_and(|expected| differ(expected, id)).then_some(topic)
}

/// The topic of a line, with its new id. `[thrd:main]: ` may stand before it.
fn change(text: &str) -> Option<(&str, &str)> {
    let (before, ids) = text.split_once(" changed id from ")?;
    let (_, topic) = before.rsplit_once("Topic ")?;
    let (_, id) = ids.split_once(" to ")?;
    Some((topic, id.trim()))
}

fn level_of(level: i32) -> RDKafkaLogLevel {
    match level {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{change, made_anew};

    #[test]
    fn the_line_about_a_changed_id_is_read_and_others_are_not() {
        let line = "[thrd:main]: Topic orders.in changed id from AAAAAAAAAAAAAAAAAAAAAA to dQw4w9WgXcQ/+b_c";
        assert_eq!(change(line), Some(("orders.in", "dQw4w9WgXcQ/+b_c")));
        assert_eq!(change("[thrd:main]: Topic orders.in partition 0 Leader 1 Epoch 0"), None);
    }

    #[test]
    fn a_topic_that_gets_an_id_because_its_cluster_is_upgraded_is_not_made_anew() {
        let line = "Topic in changed id from AAAAAAAAAAAAAAAAAAAAAA to dQw4w9WgXcQ/+b_c";
        for (expected, is_anew) in
            [("AAAAAAAAAAAAAAAAAAAAAA", false), ("dQw4w9WgXcQ/+b_c", false), ("xxx4w9WgXcQ/+b_c", true)]
        {
            let expected = BTreeMap::from([("in".to_owned(), expected.to_owned())]);
            assert_eq!(made_anew(&expected, line).is_some(), is_anew, "{expected:?}");
        }
    }
}

//! The settings that librdkafka has, in its own words.

use std::ptr;

use rdkafka::bindings as c;

/// A table of all settings as text, as in librdkafka's CONFIGURATION.md; empty where the system has no memory for it.
pub(crate) fn properties() -> String {
    let (mut text, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the stream is ours, and writes to memory of the system's, whose place and length it has put into the two
    // variables when it is closed. Both outlive it. The memory is ours from then on, and is freed here, once.
    unsafe {
        let stream = libc::open_memstream(&raw mut text, &raw mut length);
        if stream.is_null() {
            return String::new();
        }
        c::rd_kafka_conf_properties_show(stream);
        libc::fclose(stream);
        if text.is_null() {
            return String::new();
        }
        let shown = String::from_utf8_lossy(std::slice::from_raw_parts(text.cast(), length)).into_owned();
        libc::free(text.cast());
        shown
    }
}

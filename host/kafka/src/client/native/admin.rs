//! Requests of administration: the answer of each comes to a queue of its own, and is read there.

use std::ptr;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How long librdkafka goes on with a request: the longest that it allows. The caller waits for less. Where a request
/// to a coordinator ends by its own timeout and the coordinator can be reached later, librdkafka 2.12.1 uses memory
/// that it has freed (`rd_kafka_admin_coord_request` fails, and `rd_kafka_coord_req_fail` has the answer handled all
/// the same).
const KEPT: i32 = 3_600_000;

/// The handles that a request is sent with.
pub(super) struct Request {
    pub(super) client: *mut c::rd_kafka_t,
    pub(super) options: *mut c::rd_kafka_AdminOptions_t,
    pub(super) queue: *mut c::rd_kafka_queue_t,
}

/// Sends a request of this kind with `send`, and reads the event with its answer. An answer that all of it has failed,
/// and a missing answer, are an `error`.
///
/// # Safety
/// The client lives. `send` sends one request of this kind to the queue, and what it is given isn't kept. `read` is
/// called with the answer to that, which lives for the call.
pub(super) unsafe fn request<T>(
    client: *mut c::rd_kafka_t,
    kind: c::rd_kafka_admin_op_t,
    timeout: Duration,
    error: fn(RDKafkaErrorCode) -> KafkaError,
    send: impl FnOnce(&Request),
    read: impl FnOnce(*mut c::rd_kafka_event_t) -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    let wait = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client lives for all of this, as the caller says. Everything that is made here is destroyed here,
    // once.
    unsafe {
        let queue = c::rd_kafka_queue_new(client);
        let options = c::rd_kafka_AdminOptions_new(client, kind);
        c::rd_kafka_AdminOptions_set_request_timeout(options, KEPT, ptr::null_mut(), 0);
        send(&Request { client, options, queue });
        let event = c::rd_kafka_queue_poll(queue, wait);
        let answer = match event.is_null() {
            true => Err(error(RDKafkaErrorCode::OperationTimedOut)),
            false => match RDKafkaErrorCode::from(c::rd_kafka_event_error(event)) {
                RDKafkaErrorCode::NoError => read(event),
                code => Err(error(code)),
            },
        };
        if !event.is_null() {
            c::rd_kafka_event_destroy(event);
        }
        c::rd_kafka_AdminOptions_destroy(options);
        c::rd_kafka_queue_destroy(queue);
        answer
    }
}

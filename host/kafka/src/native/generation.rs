//! The number of a group's generation.

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

/// The number of the generation that a member of a group belongs to, as it is now; below 0 if it belongs to none.
pub(crate) fn generation_number<C: ConsumerContext>(member: &BaseConsumer<C>) -> i32 {
    // SAFETY: the client lives as long as the member. What it gives is ours, and is destroyed here, once.
    unsafe {
        let metadata = c::rd_kafka_consumer_group_metadata(member.client().native_ptr());
        if metadata.is_null() {
            return -1;
        }
        let number = c::rd_kafka_consumer_group_metadata_generation_id(metadata);
        c::rd_kafka_consumer_group_metadata_destroy(metadata);
        number
    }
}

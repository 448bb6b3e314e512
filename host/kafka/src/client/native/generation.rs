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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use millrace_broker::{Options, for_test};

    use super::*;
    use crate::client::settings::ClientSettings;

    /// How long the test waits for what must happen before it fails.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Waits until each of the members has so many partitions.
    fn wait(members: &[&BaseConsumer], each: usize) {
        let end = Instant::now() + PATIENCE;
        // All of them are polled: a rebalance waits for each.
        while members.iter().filter(|member| has(member, each)).count() < members.len() {
            assert!(Instant::now() < end, "waited in vain until each has {each}");
        }
    }

    fn has(member: &BaseConsumer, partitions: usize) -> bool {
        drop(member.poll(Duration::from_millis(20)));
        member.assignment().unwrap().count() == partitions
    }

    #[test]
    fn each_assignment_of_a_group_has_the_next_number() {
        let Some(mut cluster) = for_test(Options::default()).unwrap() else { return };
        cluster.create_topic("in", 2, &[]).unwrap();
        let interval = Duration::from_millis(100);
        let settings = ClientSettings::new("app", "one", &cluster.bootstrap(), &[], interval).unwrap();
        let join = || {
            let member: BaseConsumer = settings.member("test").create().unwrap();
            member.subscribe(&["in"]).unwrap();
            member
        };
        let first = join();
        assert!(generation_number(&first) < 0, "it has joined no group yet");
        wait(&[&first], 2);
        let alone = generation_number(&first);
        let second = join();
        wait(&[&first, &second], 1);
        assert_eq!([&first, &second].map(generation_number), [alone + 1; 2]);
    }
}

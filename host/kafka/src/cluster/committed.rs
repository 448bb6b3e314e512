//! Asking for the offsets that a group has committed.
//!
//! The client that asks has the app's group, though it never joins it. Where the group's coordinator has moved,
//! librdkafka looks for it on behalf of the client's own group, without a look whether it has one: a client for
//! administration, which has none, ends the process with a null pointer (`rd_kafka_handle_OffsetFetch` in 2.12.1).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;

use super::REQUEST_TIMEOUT;
use crate::client::context::{LogContext, serve_events};
use crate::client::native::{self, CommittedOffset};
use crate::client::settings::{ClientSettings, client};
use crate::error::Error;

/// Asks for committed offsets. The client is made with the first question.
#[derive(Default)]
pub(super) struct OffsetClient(Mutex<Option<Arc<BaseConsumer<LogContext>>>>);

impl OffsetClient {
    /// The committed offsets of a group in these partitions. A client whose request has failed is replaced, as others
    /// are.
    pub(super) fn committed(
        &self,
        settings: &ClientSettings,
        group: &str,
        places: &TopicPartitionList,
    ) -> Result<BTreeMap<(String, i32), CommittedOffset>, Error> {
        let asker = self.client(settings)?;
        serve_events(&asker);
        let answer = native::group_offsets(&asker, group, places, REQUEST_TIMEOUT);
        if answer.is_err() {
            drop(self.held().take());
        }
        Ok(answer?)
    }

    fn client(&self, settings: &ClientSettings) -> Result<Arc<BaseConsumer<LogContext>>, Error> {
        let mut held = self.held();
        let asker = match held.take() {
            Some(asker) => asker,
            None => Arc::new(client(&settings.asker())?),
        };
        Ok(Arc::clone(held.insert(asker)))
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<BaseConsumer<LogContext>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use rdkafka::bindings::rd_kafka_resp_err_t as E;
    use rdkafka::mocking::{MockCluster, MockCoordinator};
    use rdkafka::types::RDKafkaApiKey;

    use super::*;

    fn settings(brokers: &MockCluster<'_, impl rdkafka::ClientContext>) -> ClientSettings {
        let interval = Duration::from_millis(100);
        ClientSettings::new("app", "one", &brokers.bootstrap_servers(), &[], interval).unwrap()
    }

    #[test]
    fn a_coordinator_that_can_be_reached_after_a_question_was_given_up_answers_the_next_one() {
        let brokers = MockCluster::new(2).unwrap();
        brokers.create_topic("in", 1, 1).unwrap();
        brokers.coordinator(MockCoordinator::Group("app".into()), 2).unwrap();
        let asker: BaseConsumer<LogContext> = client(&settings(&brokers).asker()).unwrap();
        let mut places = TopicPartitionList::new();
        places.add_partition("in", 0);
        let ask = |timeout| native::group_offsets(&asker, "app", &places, timeout);
        assert!(ask(REQUEST_TIMEOUT).is_ok());
        brokers.broker_down(2).unwrap();
        for _ in 0..3 {
            assert!(ask(Duration::from_millis(100)).is_err());
        }
        brokers.broker_up(2).unwrap();
        assert!(ask(REQUEST_TIMEOUT * 4).is_ok());
    }

    #[test]
    fn a_client_whose_question_was_given_up_ends_although_its_coordinator_is_down() {
        let brokers = MockCluster::new(2).unwrap();
        brokers.create_topic("in", 1, 1).unwrap();
        brokers.coordinator(MockCoordinator::Group("app".into()), 2).unwrap();
        brokers.broker_down(2).unwrap();
        let asker: BaseConsumer<LogContext> = client(&settings(&brokers).asker()).unwrap();
        let mut places = TopicPartitionList::new();
        places.add_partition("in", 0);
        assert!(native::group_offsets(&asker, "app", &places, Duration::from_millis(100)).is_err());
        drop(asker);
    }

    #[test]
    fn a_coordinator_that_has_moved_is_an_error_and_then_looked_for() {
        let brokers = MockCluster::new(1).unwrap();
        brokers.create_topic("in", 1, 1).unwrap();
        let settings = settings(&brokers);
        let mut places = TopicPartitionList::new();
        places.add_partition("in", 0);
        let offsets = OffsetClient::default();
        let ask = || offsets.committed(&settings, "app", &places);
        let nothing = BTreeMap::from([(("in".to_owned(), 0), CommittedOffset::Nothing)]);
        assert_eq!(ask().unwrap(), nothing);
        for moved in [E::RD_KAFKA_RESP_ERR_NOT_COORDINATOR, E::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE] {
            brokers.request_errors(RDKafkaApiKey::OffsetFetch, &[moved]);
            assert!(matches!(ask(), Err(Error::Kafka(_))), "{moved:?}");
            assert_eq!(ask().unwrap(), nothing);
        }
    }
}

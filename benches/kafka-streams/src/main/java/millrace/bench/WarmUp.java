package millrace.bench;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Transactions of small records on the topics of the orders, read as they are committed: so that the broker isn't cold
 * for the system that is measured first.
 */
final class WarmUp {
    private static final int TRANSACTIONS = 1000;
    private static final int RECORDS = 200;

    static void run(Options options) {
        Decisions decisions = new Decisions(1);
        Properties settings = options.client();
        settings.put("transactional.id", "warm-up");
        var group = new ConsumerGroupMetadata("warm-up");
        var partition = new TopicPartition(Orders.PAYMENTS, 0);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
             var consumer = Committed.consumer(options)) {
            consumer.seekToBeginning(Committed.assign(consumer, List.of(Orders.ORDERS)));
            producer.initTransactions();
            for (int transaction = 0; transaction < TRANSACTIONS; transaction++) {
                producer.beginTransaction();
                for (int i = 0; i < RECORDS; i++) {
                    var decision = decisions.payment(i, transaction);
                    producer.send(new ProducerRecord<>(Orders.ORDERS, decision.key(), decision.value()));
                }
                producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(transaction)), group);
                producer.commitTransaction();
                consumer.poll(Duration.ZERO);
            }
        }
        System.out.println("{\"done\":true}");
    }

    private WarmUp() {}
}

package millrace.bench;

import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A backlog: an order every millisecond of a day in 2023, its stock decision up to 2 s after that of the payment. */
final class Load {
    private static final long START = 1_700_000_000_000L;
    private static final int LATEST_MS = 2000;

    static void run(Options options) {
        int pairs = options.number("pairs");
        Decisions decisions = new Decisions(options.number("seed"));
        Properties settings = options.client();
        settings.put("linger.ms", "20");
        settings.put("batch.size", "262144");
        Refused refused = new Refused();
        long start = System.nanoTime();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (long id = 0; id < pairs; id++) {
                long timestamp = START + id;
                producer.send(decisions.payment(id, timestamp), refused);
                producer.send(decisions.stock(id, timestamp + decisions.delay(LATEST_MS)), refused);
            }
        }
        refused.check();
        System.out.printf("{\"records\":%d,\"seconds\":%.2f}%n", 2L * pairs, (System.nanoTime() - start) / 1e9);
    }

    private Load() {}
}

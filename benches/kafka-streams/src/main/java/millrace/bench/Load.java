package millrace.bench;

import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Loads the backlog of a pipeline. */
final class Load {
    static void run(Options options) {
        Properties settings = options.client();
        settings.put("linger.ms", "20");
        settings.put("batch.size", "262144");
        Refused refused = new Refused();
        int records = options.number("records");
        long start = System.nanoTime();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            Compared.named(options.text("pipeline"))
                .backlog(records, options.number("seed"), record -> producer.send(record, refused));
        }
        refused.check();
        System.out.printf("{\"records\":%d,\"seconds\":%.2f}%n", records, (System.nanoTime() - start) / 1e9);
    }

    private Load() {}
}

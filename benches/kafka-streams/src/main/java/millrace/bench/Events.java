package millrace.bench;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Events of customers, about 250 bytes each: the same ones for the same seed. */
final class Events {
    /** How many customers there are; some have many more events than others. */
    static final int CUSTOMERS = 10_000;
    private static final String NOTE = "x".repeat(120);
    private final SplittableRandom random;

    Events(long seed) {
        random = new SplittableRandom(seed);
    }

    /** A customer, the first ones more often than the last. */
    int customer() {
        double share = random.nextDouble();
        return (int) (share * share * CUSTOMERS);
    }

    /** A number below a limit. */
    int below(int limit) {
        return random.nextInt(limit);
    }

    /** A payment somewhere. */
    ProducerRecord<byte[], byte[]> payment(long number, String customer, double amount, long timestamp) {
        return event(Fraud.PAYMENTS, customer, timestamp, "\"paymentId\":\"p" + number + "\",\"customerId\":\""
            + customer + "\",\"amount\":" + amount + ",\"currency\":\"EUR\",\"location\":\"L" + below(8) + "\"");
    }

    /** An event of a customer, of these fields and a note for all that rules don't look at. */
    static ProducerRecord<byte[], byte[]> event(String topic, String customer, long timestamp, String fields) {
        String value = "{" + fields + ",\"note\":\"" + NOTE + "\"}";
        return new ProducerRecord<>(topic, null, timestamp, customer.getBytes(StandardCharsets.UTF_8),
            value.getBytes(StandardCharsets.UTF_8));
    }
}

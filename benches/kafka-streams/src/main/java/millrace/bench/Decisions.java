package millrace.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Decisions on orders, about 250 bytes each: the same ones for the same seed. */
final class Decisions {
    private static final String NOTE = "x".repeat(120);
    private final SplittableRandom random;

    Decisions(long seed) {
        random = new SplittableRandom(seed);
    }

    ProducerRecord<byte[], byte[]> payment(long id, long timestamp) {
        return new ProducerRecord<>(Orders.PAYMENTS, null, timestamp, key(id), value(id, "PAYMENT"));
    }

    ProducerRecord<byte[], byte[]> stock(long id, long timestamp) {
        return new ProducerRecord<>(Orders.STOCK, null, timestamp, key(id), value(id, "STOCK"));
    }

    /** Milliseconds below a limit: how much later the other decision is. */
    int delay(int limit) {
        return random.nextInt(limit);
    }

    private static byte[] key(long id) {
        return ByteBuffer.allocate(Long.BYTES).putLong(id).array();
    }

    private byte[] value(long id, String source) {
        String status = random.nextInt(5) == 0 ? "REJECT" : "ACCEPT";
        String value = "{\"id\":" + id + ",\"customerId\":" + id % 10_000 + ",\"productId\":" + random.nextInt(1000)
            + ",\"productCount\":" + (1 + random.nextInt(5)) + ",\"price\":" + (1 + random.nextInt(100_000)) / 100.0
            + ",\"status\":\"" + status + "\",\"source\":\"" + source + "\",\"note\":\"" + NOTE + "\"}";
        return value.getBytes(StandardCharsets.UTF_8);
    }
}

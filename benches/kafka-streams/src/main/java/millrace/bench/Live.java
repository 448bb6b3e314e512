package millrace.bench;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Orders at a steady rate, stamped when they are sent; either decision comes first, and the other up to 200 ms later.
 * Measured from the later of the two, which the result has its timestamp from, to the committed result being read.
 */
final class Live {
    private static final int APART_MS = 200;
    private static final long PATIENCE_S = 60;

    private final Options options;
    private final int rate;
    private final int warmUp;
    private final int total;

    private Live(Options options) {
        this.options = options;
        rate = options.number("rate");
        warmUp = rate * options.number("warm-up");
        total = warmUp + rate * options.number("seconds");
    }

    static void run(Options options) {
        new Live(options).measure();
    }

    private void measure() {
        try (var consumer = Committed.consumer(options)) {
            var partitions = Committed.assign(consumer);
            consumer.seekToEnd(partitions);
            // Asked for, the position is fixed before the first order is sent.
            for (TopicPartition partition : partitions) consumer.position(partition);
            CompletableFuture<Double> sent = CompletableFuture.supplyAsync(this::send);
            long[] latencies = read(consumer, sent);
            Arrays.sort(latencies);
            System.out.printf("{\"orders_per_s\":%.0f,\"p50_ms\":%d,\"p95_ms\":%d,\"p99_ms\":%d,\"max_ms\":%d}%n",
                sent.join(), at(latencies, 0.5), at(latencies, 0.95), at(latencies, 0.99), at(latencies, 1));
        }
    }

    /** A decision that is due at a time. */
    private record Due(long nanos, long id, boolean payment) {}

    /** Sends all decisions when they are due, and returns how many orders a second that made. */
    private double send() {
        Properties settings = options.client();
        settings.put("linger.ms", "0");
        Refused refused = new Refused();
        Decisions decisions = new Decisions(1);
        var due = new PriorityQueue<Due>((a, b) -> Long.compare(a.nanos, b.nanos));
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.partitionsFor(Topics.PAYMENTS);
            producer.partitionsFor(Topics.STOCK);
            long start = System.nanoTime();
            for (long id = 0; id < total || !due.isEmpty();) {
                long next = start + id * 1_000_000_000L / rate;
                if (id < total && (due.isEmpty() || next <= due.peek().nanos)) {
                    boolean paymentFirst = decisions.delay(2) == 0;
                    long apart = TimeUnit.MILLISECONDS.toNanos(decisions.delay(APART_MS));
                    due.add(new Due(next, id, paymentFirst));
                    due.add(new Due(next + apart, id, !paymentFirst));
                    id++;
                }
                Due now = due.remove();
                pause(now.nanos - System.nanoTime());
                long timestamp = System.currentTimeMillis();
                var record = now.payment ? decisions.payment(now.id, timestamp) : decisions.stock(now.id, timestamp);
                producer.send(record, refused);
            }
            refused.check();
            return total / ((System.nanoTime() - start) / 1e9);
        }
    }

    private static void pause(long nanos) {
        try {
            if (nanos > 0) TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException e) {
            throw new CompletionException(e);
        }
    }

    /** The latencies of all orders behind the warm-up, in milliseconds; fails when results are missing. */
    private long[] read(KafkaConsumer<byte[], byte[]> consumer, CompletableFuture<Double> sent) {
        long[] latencies = new long[total - warmUp];
        int measured = 0;
        long deadline = Long.MAX_VALUE;
        for (int results = 0; results < total;) {
            for (ConsumerRecord<byte[], byte[]> result : consumer.poll(Duration.ofMillis(100))) {
                long latency = System.currentTimeMillis() - result.timestamp();
                if (ByteBuffer.wrap(result.key()).getLong() >= warmUp) latencies[measured++] = latency;
                results++;
            }
            if (deadline == Long.MAX_VALUE && sent.isDone()) {
                sent.join();
                deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
            } else if (System.nanoTime() > deadline) {
                throw new IllegalStateException("only " + results + " of " + total + " results came");
            }
        }
        return latencies;
    }

    private static long at(long[] sorted, double share) {
        return sorted[(int) (share * (sorted.length - 1))];
    }
}

package millrace.bench;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Records at a steady rate, stamped when they are sent, and for each topic of results the time until a committed result
 * is read. The time runs from the timestamp of the record from which the result follows.
 *
 * <p>The clock of the timestamps is set back to the start of an hour, so that no window ends meanwhile: behind a
 * repartition topic, a record that comes a little late would have no result.
 */
final class Live {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long SET_BACK = System.currentTimeMillis() % TimeUnit.HOURS.toMillis(1);

    private final Options options;
    private final Pipeline pipeline;
    private final Feed feed;
    private final long warmUpNanos;
    private final int total;
    private volatile long measuredFrom = Long.MAX_VALUE;

    private Live(Options options) {
        this.options = options;
        int rate = options.number("rate");
        warmUpNanos = TimeUnit.SECONDS.toNanos(options.number("warm-up"));
        total = rate * (options.number("warm-up") + options.number("seconds"));
        pipeline = Pipeline.named(options.text("pipeline"));
        feed = pipeline.feed(rate, total);
    }

    static void run(Options options) throws IOException {
        new Live(options).measure();
    }

    private static long clock() {
        return System.currentTimeMillis() - SET_BACK;
    }

    private void measure() throws IOException {
        try (var consumer = Committed.consumer(options)) {
            var partitions = Committed.assign(consumer, pipeline.results());
            consumer.seekToEnd(partitions);
            // Asked for, the position is fixed before the first record is sent.
            for (TopicPartition partition : partitions) consumer.position(partition);
            CompletableFuture<Double> sent = CompletableFuture.supplyAsync(this::send);
            Map<String, Latencies> latencies = read(consumer, sent);
            latencies.forEach((topic, of) -> System.out.println(of.line(topic)));
            System.out.printf("{\"done\":true,\"rate\":%.0f}%n", sent.join());
        }
    }

    /** Sends all records when they are due, and returns how many units a second that made. */
    private double send() {
        Properties settings = options.client();
        settings.put("linger.ms", "0");
        Refused refused = new Refused();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String topic : pipeline.input()) producer.partitionsFor(topic);
            prepare(producer, refused);
            long start = System.nanoTime();
            for (Feed.Due due = feed.next(); due != null; due = feed.next()) {
                pause(start + due.nanos() - System.nanoTime());
                long timestamp = clock();
                if (measuredFrom == Long.MAX_VALUE && due.nanos() >= warmUpNanos) measuredFrom = timestamp;
                producer.send(due.record().apply(timestamp), refused);
            }
            refused.check();
            return total / ((System.nanoTime() - start) / 1e9);
        } catch (Exception e) {
            throw new CompletionException(e);
        }
    }

    private void prepare(Producer<byte[], byte[]> producer, Refused refused) throws Exception {
        var before = feed.before(clock());
        if (before.isEmpty()) return;
        before.forEach(record -> producer.send(record, refused));
        producer.flush();
        refused.check();
        Lag.await(options, before.stream().map(record -> record.topic()).distinct().toList(), PATIENCE);
    }

    private static void pause(long nanos) throws InterruptedException {
        if (nanos > 0) TimeUnit.NANOSECONDS.sleep(nanos);
    }

    /** The latencies behind the warm-up, by topic; fails when results are missing. */
    private Map<String, Latencies> read(KafkaConsumer<byte[], byte[]> consumer, CompletableFuture<Double> sent)
        throws IOException {
        Map<String, Latencies> latencies = new TreeMap<>();
        for (String topic : pipeline.results()) latencies.put(topic, new Latencies());
        long deadline = Long.MAX_VALUE;
        while (deadline == Long.MAX_VALUE || !complete(latencies)) {
            for (ConsumerRecord<byte[], byte[]> result : consumer.poll(Duration.ofMillis(100))) {
                long now = clock();
                if (result.value() == null) continue;
                long cause = feed.cause(result);
                Latencies of = latencies.get(result.topic());
                if (cause >= measuredFrom) of.add(now - cause); else of.count();
            }
            if (deadline == Long.MAX_VALUE && sent.isDone()) {
                sent.join();
                deadline = System.nanoTime() + PATIENCE.toNanos();
            } else if (System.nanoTime() > deadline) {
                break;
            }
        }
        if (!counts(latencies).equals(feed.expected())) {
            throw new IllegalStateException(counts(latencies) + " results came, and not " + feed.expected());
        }
        return latencies;
    }

    private boolean complete(Map<String, Latencies> latencies) {
        return feed.expected().entrySet().stream()
            .allMatch(expected -> latencies.get(expected.getKey()).results() >= expected.getValue());
    }

    private static Map<String, Integer> counts(Map<String, Latencies> latencies) {
        Map<String, Integer> counts = new TreeMap<>();
        latencies.forEach((topic, of) -> counts.put(topic, of.results()));
        return counts;
    }
}

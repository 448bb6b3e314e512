package millrace.bench;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.processor.internals.DefaultKafkaClientSupplier;

/**
 * Producers with a stop watch on their commits. The metrics of Kafka Streams don't do: its commit-latency is divided by
 * the number of tasks and has no percentiles.
 */
final class TimedClients extends DefaultKafkaClientSupplier {
    private long[] commits = new long[1024];
    private int count;

    @Override
    public Producer<byte[], byte[]> getProducer(Map<String, Object> config) {
        return new TimedProducer(config);
    }

    private synchronized void add(long nanos) {
        if (count == commits.length) commits = Arrays.copyOf(commits, 2 * count);
        commits[count++] = nanos;
    }

    synchronized String fields() {
        long[] sorted = Arrays.copyOf(commits, count);
        Arrays.sort(sorted);
        return "\"commits\":%d,\"commit_p50_ms\":%s,\"commit_p99_ms\":%s"
            .formatted(count, millis(sorted, 0.5), millis(sorted, 0.99));
    }

    private static String millis(long[] sorted, double share) {
        if (sorted.length == 0) return "null";
        long nanos = sorted[(int) (share * (sorted.length - 1))];
        return Double.toString(TimeUnit.NANOSECONDS.toMicros(nanos) / 1000.0);
    }

    /** A commit is the flush before it, its offsets, and the end of the transaction. */
    private final class TimedProducer extends KafkaProducer<byte[], byte[]> {
        private long spent;

        TimedProducer(Map<String, Object> config) {
            super(config, new ByteArraySerializer(), new ByteArraySerializer());
        }

        @Override
        public void flush() {
            long start = System.nanoTime();
            super.flush();
            spent += System.nanoTime() - start;
        }

        @Override
        public void sendOffsetsToTransaction(
            Map<TopicPartition, OffsetAndMetadata> offsets, ConsumerGroupMetadata group) {
            long start = System.nanoTime();
            super.sendOffsetsToTransaction(offsets, group);
            spent += System.nanoTime() - start;
        }

        @Override
        public void commitTransaction() {
            long start = System.nanoTime();
            super.commitTransaction();
            add(spent + System.nanoTime() - start);
            spent = 0;
        }
    }
}

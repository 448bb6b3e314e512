package millrace.bench;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;

/**
 * How far a group has come: a line whenever it has committed more, until it has all input and all results that it
 * reads.
 */
final class Lag {
    private static final long PAUSE_MS = 50;

    static void run(Options options) throws Exception {
        String group = options.text("group");
        Compared pipeline = Compared.named(options.text("pipeline"));
        try (Admin admin = Admin.create(options.client())) {
            Map<TopicPartition, Long> input = ends(admin, pipeline.input());
            committed(admin, group);
            System.out.println("{\"ready\":true}");
            long before = -1;
            boolean done = false;
            while (!done) {
                TimeUnit.MILLISECONDS.sleep(PAUSE_MS);
                Map<TopicPartition, Long> committed = committed(admin, group);
                long records = input.keySet().stream().mapToLong(of -> committed.getOrDefault(of, 0L)).sum();
                // Asked after the input is committed, the end of the results is final. A transaction's marker lies
                // behind the last of them, which a group may or may not count.
                done = reached(committed, input, 0) && reached(committed, ends(admin, pipeline.readBack()), 1);
                if (records != before || done) {
                    System.out.printf("{\"committed\":%d,\"done\":%b}%n", records, done);
                    before = records;
                }
            }
        }
    }

    /** Waits until a group has committed all that is in topics now. */
    static void await(Options options, List<String> topics, Duration patience) throws Exception {
        long deadline = System.nanoTime() + patience.toNanos();
        try (Admin admin = Admin.create(options.client())) {
            Map<TopicPartition, Long> ends = ends(admin, topics);
            while (!reached(committed(admin, options.text("group")), ends, 0)) {
                if (System.nanoTime() > deadline) throw new IllegalStateException("not all committed of " + topics);
                TimeUnit.MILLISECONDS.sleep(PAUSE_MS);
            }
        }
    }

    private static boolean reached(Map<TopicPartition, Long> committed, Map<TopicPartition, Long> ends, long behind) {
        return ends.entrySet().stream()
            .allMatch(end -> committed.getOrDefault(end.getKey(), 0L) >= end.getValue() - behind);
    }

    private static Map<TopicPartition, Long> committed(Admin admin, String group) throws Exception {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        for (Map.Entry<TopicPartition, OffsetAndMetadata> entry
            : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet()) {
            if (entry.getValue() != null) offsets.put(entry.getKey(), entry.getValue().offset());
        }
        return offsets;
    }

    private static Map<TopicPartition, Long> ends(Admin admin, List<String> topics)
        throws ExecutionException, InterruptedException {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        for (var topic : admin.describeTopics(topics).allTopicNames().get().values()) {
            for (TopicPartitionInfo partition : topic.partitions()) {
                asked.put(new TopicPartition(topic.name(), partition.partition()), OffsetSpec.latest());
            }
        }
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(asked).all().get().forEach((partition, end) -> ends.put(partition, end.offset()));
        return ends;
    }

    private Lag() {}
}

package millrace.bench;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * What the committed results of a run say, as a number of 8 bytes for each result. The numbers are sorted, so two runs
 * have the same file if they have the same results. With {@code --find NUMBER}, it prints a result of that number.
 */
final class Results {
    /** What is done with each result; returns whether that was enough. */
    private interface Reader {
        boolean enough(ConsumerRecord<byte[], byte[]> result) throws IOException;
    }

    private final Compared pipeline;
    private long[] numbers;
    private long[] subjects;
    private int count;

    private Results(Options options) {
        pipeline = Compared.named(options.text("pipeline"));
    }

    static void run(Options options) throws IOException {
        String wanted = options.textOrNull("find");
        Results results = new Results(options);
        if (wanted == null) results.write(options); else results.find(options, Long.parseLong(wanted));
    }

    private void write(Options options) throws IOException {
        read(options, result -> {
            numbers[count] = number(pipeline.meaning(result));
            subjects[count] = number(pipeline.subject(result));
            count++;
            return false;
        });
        Arrays.sort(numbers, 0, count);
        Arrays.sort(subjects, 0, count);
        int doubled = 0;
        for (int i = 1; i < count; i++) if (subjects[i] == subjects[i - 1]) doubled++;
        try (var out = new DataOutputStream(
            new BufferedOutputStream(Files.newOutputStream(Path.of(options.text("out")))))) {
            for (int i = 0; i < count; i++) out.writeLong(numbers[i]);
        }
        System.out.println("{\"doubled\":" + doubled + "}");
    }

    private void find(Options options, long number) throws IOException {
        read(options, result -> {
            String meaning = pipeline.meaning(result);
            boolean found = number(meaning) == number;
            if (found) System.out.println("{\"found\":\"" + meaning.replace('"', '\'') + "\"}");
            return found;
        });
    }

    private void read(Options options, Reader reader) throws IOException {
        try (var consumer = Committed.consumer(options)) {
            List<TopicPartition> partitions = Committed.assign(consumer, pipeline.results());
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            // More than there are results: markers of transactions have offsets too.
            int offsets = Math.toIntExact(ends.values().stream().mapToLong(Long::longValue).sum());
            numbers = new long[offsets];
            subjects = new long[offsets];
            while (!all(consumer, ends)) {
                for (ConsumerRecord<byte[], byte[]> result : consumer.poll(Duration.ofMillis(100))) {
                    if (reader.enough(result)) return;
                }
            }
        }
    }

    private static boolean all(KafkaConsumer<?, ?> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    /** 64 bits of a text (Fowler, Noll, Vo: FNV-1a). */
    private static long number(String text) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < text.length(); i++) hash = (hash ^ text.charAt(i)) * 0x100000001b3L;
        return hash;
    }
}

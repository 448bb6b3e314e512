package millrace.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * A number for each order that says what its committed results are: 8 bytes in the place of its id in a file, zero
 * where there is none. It adds up over the results of an order, so one too many shows as well. Values count by what they
 * mean: the order of fields and the way a number is written may differ.
 */
final class Results {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    static void run(Options options) throws IOException {
        long[] digests = new long[options.number("pairs")];
        long records = 0;
        try (var consumer = Committed.consumer(options)) {
            List<TopicPartition> partitions = Committed.assign(consumer);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (!all(consumer, ends)) {
                for (ConsumerRecord<byte[], byte[]> result : consumer.poll(Duration.ofMillis(100))) {
                    long id = ByteBuffer.wrap(result.key()).getLong();
                    digests[Math.toIntExact(id)] += digest(result);
                    records++;
                }
            }
        }
        write(digests, Path.of(options.text("out")));
        System.out.printf("{\"records\":%d}%n", records);
    }

    private static boolean all(KafkaConsumer<?, ?> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    /** 64 bits of timestamp and value (Fowler, Noll, Vo: FNV-1a), and never zero. */
    private static long digest(ConsumerRecord<byte[], byte[]> result) throws IOException {
        Map<String, Object> fields = new TreeMap<>();
        for (Map.Entry<String, JsonNode> field : MAPPER.readTree(result.value()).properties()) {
            JsonNode value = field.getValue();
            fields.put(field.getKey(), value.isNumber() ? value.asDouble() : value);
        }
        String text = result.timestamp() + fields.toString();
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < text.length(); i++) hash = (hash ^ text.charAt(i)) * 0x100000001b3L;
        return hash == 0 ? 1 : hash;
    }

    private static void write(long[] digests, Path file) throws IOException {
        try (var out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
            for (long digest : digests) out.writeLong(digest);
        }
    }

    private Results() {}
}

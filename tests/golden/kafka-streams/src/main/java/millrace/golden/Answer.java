package millrace.golden;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

/** What Kafka Streams puts out, in its TopologyTestDriver, which takes one record at a time. */
final class Answer {
    static final String LEFT = "left";
    static final String RIGHT = "right";
    static final String OUT = "out";

    static List<Case.Output> to(Case asked, Path state) {
        List<Case.Output> outputs = new ArrayList<>();
        Op op = asked.op();
        try (var driver = new TopologyTestDriver(Operators.topology(op), settings(state), Instant.EPOCH)) {
            var out = driver.createOutputTopic(OUT, new ByteArrayDeserializer(), new StringDeserializer());
            var left = input(driver, LEFT);
            var right = op.hasTwoInputs() ? input(driver, RIGHT) : null;
            int after = 0;
            for (Case.Input input : asked.inputs()) {
                var topic = input.topic().equals(LEFT) ? left : right;
                topic.pipeInput(new TestRecord<>(input.key(), input.value(), Instant.ofEpochMilli(input.timestamp())));
                take(out, op, after++, outputs);
            }
        }
        return outputs;
    }

    private static TestInputTopic<String, String> input(TopologyTestDriver driver, String topic) {
        return driver.createInputTopic(topic, new StringSerializer(), new StringSerializer());
    }

    private static void take(TestOutputTopic<byte[], String> out, Op op, int after, List<Case.Output> outputs) {
        while (!out.isEmpty()) {
            TestRecord<byte[], String> record = out.readRecord();
            outputs.add(WindowedKeys.output(op, record.key(), record.value(), record.timestamp(), after));
        }
    }

    private static Properties settings(Path state) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "golden");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:0");
        settings.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        // Both look for what is due once a second of wall-clock time, unless told to do so for each record.
        settings.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_OUTER_JOIN_SPURIOUS_RESULTS_FIX, 0L);
        settings.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_WINDOWED_AGGREGATION, 0L);
        return settings;
    }

    private Answer() {}
}

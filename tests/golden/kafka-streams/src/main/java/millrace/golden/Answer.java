package millrace.golden;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

/** What Kafka Streams puts out, in its TopologyTestDriver, which takes one record at a time. */
final class Answer {
    static final String LEFT = "left";
    static final String RIGHT = "right";
    static final String OUT = "out";

    private static final String APP = "golden";

    static List<Case.Output> to(Case asked, Path state) {
        Topology topology =
            asked.op() != null ? Operators.topology(asked.op()) : Pipelines.topology(asked.pipeline());
        List<Case.Output> outputs = new ArrayList<>();
        try (var driver = new TopologyTestDriver(topology, settings(state), Instant.EPOCH)) {
            Map<String, TestInputTopic<String, String>> inputs = new HashMap<>();
            Map<String, TestOutputTopic<byte[], String>> results = new TreeMap<>();
            int after = 0;
            for (Case.Input input : asked.inputs()) {
                var record = new TestRecord<>(input.key(), input.value(), Instant.ofEpochMilli(input.timestamp()));
                inputs.computeIfAbsent(input.topic(), topic -> input(driver, topic)).pipeInput(record);
                for (String topic : driver.producedTopicNames()) {
                    // Repartition topics and changelogs have the app's name in front.
                    if (!topic.startsWith(APP + "-")) results.computeIfAbsent(topic, name -> output(driver, name));
                }
                for (var topic : results.entrySet()) take(asked, topic.getKey(), topic.getValue(), after, outputs);
                after++;
            }
        }
        return outputs;
    }

    private static void take(Case asked, String topic, TestOutputTopic<byte[], String> results, int after,
        List<Case.Output> outputs) {
        while (!results.isEmpty()) {
            TestRecord<byte[], String> result = results.readRecord();
            outputs.add(asked.op() != null ? WindowedKeys.output(asked.op(), result, after)
                : plain(topic, result, after));
        }
    }

    private static TestInputTopic<String, String> input(TopologyTestDriver driver, String topic) {
        return driver.createInputTopic(topic, new StringSerializer(), new StringSerializer());
    }

    private static TestOutputTopic<byte[], String> output(TopologyTestDriver driver, String topic) {
        return driver.createOutputTopic(topic, new ByteArrayDeserializer(), new StringDeserializer());
    }

    private static Case.Output plain(String topic, TestRecord<byte[], String> record, int after) {
        return new Case.Output(topic, WindowedKeys.text(record.key()), null, record.value(), record.timestamp(), after);
    }

    private static Properties settings(Path state) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, APP);
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

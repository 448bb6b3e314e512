package millrace.golden;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.SessionStore;

/** Activity of each customer in five minutes, and in visits that end with half an hour of silence. */
final class CustomerActivity {
    /** Numbers of events by their type. */
    private static final Serde<TreeMap<String, Long>> COUNTS = Json.serde(new TypeReference<>() {});
    private static final Duration GAP = Duration.ofMinutes(30);

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        KGroupedStream<String, ObjectNode> byCustomer = Events
            .valid(builder, "bss.customer.events", (key, event) -> Json.text(event, "activityType") != null)
            .groupByKey(Grouped.with(Events.TEXT, Json.OBJECTS));
        byCustomer
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(5)))
            .aggregate(TreeMap::new, CustomerActivity::add, Materialized.with(Events.TEXT, COUNTS))
            .toStream()
            .map((window, counts) -> KeyValue.pair(window.key(), activity(window, counts)))
            .to("bss.customer.activity.aggregated", Events.OUT);
        byCustomer
            .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(GAP))
            .aggregate(TreeMap::new, CustomerActivity::add, CustomerActivity::merge, sessions())
            .toStream()
            .map((window, counts) -> KeyValue.pair(window.key(), visit(window, counts)))
            .to("bss.customer.sessions", Events.OUT);
        return builder.build();
    }

    private static Materialized<String, TreeMap<String, Long>, SessionStore<Bytes, byte[]>> sessions() {
        // Otherwise the store hides a visit one millisecond before the operator closes it.
        return Materialized.<String, TreeMap<String, Long>, SessionStore<Bytes, byte[]>>with(Events.TEXT, COUNTS)
            .withRetention(GAP.plusMillis(1));
    }

    private static TreeMap<String, Long> add(String customer, ObjectNode event, TreeMap<String, Long> counts) {
        counts.merge(Json.text(event, "activityType"), 1L, Long::sum);
        return counts;
    }

    private static TreeMap<String, Long> merge(String customer, TreeMap<String, Long> one, TreeMap<String, Long> other) {
        other.forEach((type, count) -> one.merge(type, count, Long::sum));
        return one;
    }

    private static ObjectNode activity(Windowed<String> window, Map<String, Long> counts) {
        ObjectNode result = Json.MAPPER.createObjectNode()
            .put("customerId", window.key())
            .put("windowStart", window.window().start())
            .put("windowEnd", window.window().end());
        count(result, counts);
        long score = 0;
        for (var entry : counts.entrySet()) score += weight(entry.getKey()) * entry.getValue();
        return result.put("score", score);
    }

    private static ObjectNode visit(Windowed<String> window, Map<String, Long> counts) {
        if (counts == null) return null;
        ObjectNode result = Json.MAPPER.createObjectNode()
            .put("customerId", window.key())
            .put("sessionStart", window.window().start())
            .put("sessionEnd", window.window().end())
            .put("durationMs", window.window().end() - window.window().start());
        count(result, counts);
        return result;
    }

    private static void count(ObjectNode result, Map<String, Long> counts) {
        result.put("total", counts.values().stream().mapToLong(Long::longValue).sum());
        counts.forEach(result.putObject("byType")::put);
    }

    private static long weight(String type) {
        return switch (type) {
            case "ADD_TO_CART" -> 3;
            case "PURCHASE" -> 5;
            default -> 1;
        };
    }

    private CustomerActivity() {}
}

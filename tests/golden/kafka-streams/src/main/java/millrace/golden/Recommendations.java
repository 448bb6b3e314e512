package millrace.golden;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/** Recommendations by the interests of each customer, and the views of each product. */
final class Recommendations {
    /** Weights of categories. */
    private static final Serde<TreeMap<String, Long>> PROFILES = Json.serde(new TypeReference<>() {});

    /** Heaviest first; ties by the bytes of the names, which isn't the order of Java's strings. */
    private static final Comparator<Map.Entry<String, Long>> HEAVIEST =
        Map.Entry.<String, Long>comparingByValue().reversed().thenComparing(entry ->
            entry.getKey().getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, ObjectNode> views = Events.valid(builder, "bss.product.views", (key, view) -> true);
        KTable<String, TreeMap<String, Long>> profiles = Events
            .valid(builder, "bss.customer.events",
                (key, event) -> !hasCategory(event) || Json.text(event, "activityType") != null)
            .filter((customer, event) -> hasCategory(event) && weight(event) > 0)
            .groupByKey(Grouped.with(Events.TEXT, Json.OBJECTS))
            .aggregate(TreeMap::new, Recommendations::add, Materialized.with(Events.TEXT, PROFILES));
        views
            .join(profiles, Recommendations::recommend, Joined.with(Events.TEXT, Json.OBJECTS, PROFILES))
            .to("bss.recommendations", Events.OUT);
        views
            .groupBy((customer, view) -> Json.text(view, "productId"), Grouped.with(Events.TEXT, Json.OBJECTS))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofHours(1)))
            .count(Materialized.with(Events.TEXT, Serdes.Long()))
            .toStream()
            .map((window, count) -> KeyValue.pair(window.key(), trend(window, count)))
            .to("bss.products.trending", Events.OUT);
        return builder.build();
    }

    private static boolean hasCategory(ObjectNode event) {
        return Json.text(event, "category") != null;
    }

    private static TreeMap<String, Long> add(String customer, ObjectNode event, TreeMap<String, Long> profile) {
        profile.merge(Json.text(event, "category"), weight(event), Long::sum);
        return profile;
    }

    private static long weight(ObjectNode event) {
        return switch (Json.text(event, "activityType")) {
            case "VIEW" -> 1;
            case "ADD_TO_CART" -> 3;
            case "PURCHASE" -> 5;
            default -> 0;
        };
    }

    private static ObjectNode recommend(String customer, ObjectNode view, TreeMap<String, Long> profile) {
        ObjectNode result = Json.MAPPER.createObjectNode().put("customerId", customer);
        result.set("productId", view.get("productId"));
        result.set("category", view.get("category"));
        var top = result.putArray("recommendations");
        profile.entrySet().stream().sorted(HEAVIEST).limit(3).map(Map.Entry::getKey).forEach(top::add);
        return result.put("confidence", 0.85).put("algorithm", "interest-profile");
    }

    private static ObjectNode trend(Windowed<String> window, long views) {
        return Json.MAPPER.createObjectNode()
            .put("productId", window.key())
            .put("windowStart", window.window().start())
            .put("windowEnd", window.window().end())
            .put("views", views);
    }

    private Recommendations() {}
}
